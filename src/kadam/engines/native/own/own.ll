; What compiled Python is made of: references, types, items. Layouts are CPython's, and were looked at first.

define internal ptr @type(ptr %o) alwaysinline nounwind {
  %at = getelementptr i8, ptr %o, i64 $type
  %type = load ptr, ptr %at
  ret ptr %type
}

define internal i64 @references(ptr %o) alwaysinline nounwind {
  %count = load i64, ptr %o
  ret i64 %count
}

define internal void @give_any(ptr %table, ptr %o) alwaysinline nounwind {
entry:
  %none = icmp eq ptr %o, null
  br i1 %none, label %end, label %some
some:
  call void @give(ptr %table, ptr %o)
  br label %end
end:
  ret void
}

define internal i64 @size(ptr %o) alwaysinline nounwind {
  %at = getelementptr i8, ptr %o, i64 $list_size
  %size = load i64, ptr %at
  ret i64 %size
}

define internal ptr @list_items(ptr %o) alwaysinline nounwind {
  %at = getelementptr i8, ptr %o, i64 $list_items
  %items = load ptr, ptr %at
  ret ptr %items
}

define internal ptr @tuple_items(ptr %o) alwaysinline nounwind {
  %items = getelementptr i8, ptr %o, i64 $tuple_items
  ret ptr %items
}

; An item of a list or a tuple, not taken.
define internal ptr @item(ptr %table, ptr %o, i64 %index) alwaysinline nounwind {
entry:
  %list.at = getelementptr ptr, ptr %table, i64 $list
  %list = load ptr, ptr %list.at
  %type = call ptr @type(ptr %o)
  %is.list = icmp eq ptr %type, %list
  %listed = call ptr @list_items(ptr %o)
  %stored = call ptr @tuple_items(ptr %o)
  %items = select i1 %is.list, ptr %listed, ptr %stored
  %at = getelementptr ptr, ptr %items, i64 %index
  %item = load ptr, ptr %at
  ret ptr %item
}

define internal i64 @length(ptr %table, ptr %o) nounwind {
entry:
  %list.at = getelementptr ptr, ptr %table, i64 $list
  %list = load ptr, ptr %list.at
  %type = call ptr @type(ptr %o)
  %is.list = icmp eq ptr %type, %list
  br i1 %is.list, label %quick, label %slow
quick:
  %size = call i64 @size(ptr %o)
  ret i64 %size
slow:
  %f.at = getelementptr ptr, ptr %table, i64 $PyObject_Size
  %f = load ptr, ptr %f.at
  %length = call i64 %f(ptr %o)
  ret i64 %length
}

; 1, 0, or -1 for an error.
define internal i32 @truth(ptr %table, ptr %o) nounwind {
entry:
  %true.at = getelementptr ptr, ptr %table, i64 $True
  %true = load ptr, ptr %true.at
  %is.true = icmp eq ptr %o, %true
  br i1 %is.true, label %yes, label %else
yes:
  ret i32 1
else:
  %false.at = getelementptr ptr, ptr %table, i64 $False
  %false = load ptr, ptr %false.at
  %is.false = icmp eq ptr %o, %false
  br i1 %is.false, label %no, label %other
no:
  ret i32 0
other:
  %f.at = getelementptr ptr, ptr %table, i64 $PyObject_IsTrue
  %f = load ptr, ptr %f.at
  %truth = call i32 %f(ptr %o)
  ret i32 %truth
}

; A variable that holds nothing.
define internal void @unbound(ptr %table) nounwind {
  %f.at = getelementptr ptr, ptr %table, i64 $PyErr_SetObject
  %f = load ptr, ptr %f.at
  %kind.at = getelementptr ptr, ptr %table, i64 $unbound_kind
  %kind = load ptr, ptr %kind.at
  %text.at = getelementptr ptr, ptr %table, i64 $unbound
  %text = load ptr, ptr %text.at
  call void %f(ptr %kind, ptr %text)
  ret void
}

; A sequence of another length than was to be unpacked.
define internal void @unfit(ptr %table) nounwind {
  %f.at = getelementptr ptr, ptr %table, i64 $PyErr_SetObject
  %f = load ptr, ptr %f.at
  %kind.at = getelementptr ptr, ptr %table, i64 $unfit_kind
  %kind = load ptr, ptr %kind.at
  %text.at = getelementptr ptr, ptr %table, i64 $unfit
  %text = load ptr, ptr %text.at
  call void %f(ptr %kind, ptr %text)
  ret void
}

; A call that is not the function's own jump.
define internal void @miscalled(ptr %table) nounwind {
  %f.at = getelementptr ptr, ptr %table, i64 $PyErr_SetObject
  %f = load ptr, ptr %f.at
  %kind.at = getelementptr ptr, ptr %table, i64 $miscalled_kind
  %kind = load ptr, ptr %kind.at
  %text.at = getelementptr ptr, ptr %table, i64 $miscalled
  %text = load ptr, ptr %text.at
  call void %f(ptr %kind, ptr %text)
  ret void
}

; list.append, or another object's method of that name.
define internal ptr @append(ptr %table, ptr %o, ptr %item, ptr %name) nounwind {
entry:
  %list.at = getelementptr ptr, ptr %table, i64 $list
  %list = load ptr, ptr %list.at
  %type = call ptr @type(ptr %o)
  %is.list = icmp eq ptr %type, %list
  br i1 %is.list, label %quick, label %slow
quick:
  %f.at = getelementptr ptr, ptr %table, i64 $PyList_Append
  %f = load ptr, ptr %f.at
  %code = call i32 %f(ptr %o, ptr %item)
  %good = icmp eq i32 %code, 0
  br i1 %good, label %done, label %failed
done:
  %none.at = getelementptr ptr, ptr %table, i64 $None
  %none = load ptr, ptr %none.at
  call void @take(ptr %table, ptr %none)
  ret ptr %none
failed:
  ret ptr null
slow:
  %result = call ptr @method(ptr %table, ptr %o, ptr %item, ptr %name)
  ret ptr %result
}

; dict.get of one argument, or another object's method of that name.
define internal ptr @look_up(ptr %table, ptr %o, ptr %key, ptr %name) nounwind {
entry:
  %type = call ptr @type(ptr %o)
  %is.any = call i1 @is_dict(ptr %table, ptr %type)
  br i1 %is.any, label %quick, label %slow
quick:
  %f.at = getelementptr ptr, ptr %table, i64 $PyDict_GetItemWithError
  %f = load ptr, ptr %f.at
  %found = call ptr %f(ptr %o, ptr %key)
  %missing = icmp eq ptr %found, null
  br i1 %missing, label %ask, label %good
good:
  call void @take(ptr %table, ptr %found)
  ret ptr %found
ask:
  %e.at = getelementptr ptr, ptr %table, i64 $PyErr_Occurred
  %e = load ptr, ptr %e.at
  %error = call ptr %e()
  %clean = icmp eq ptr %error, null
  br i1 %clean, label %nothing, label %failed
nothing:
  %none.at = getelementptr ptr, ptr %table, i64 $None
  %none = load ptr, ptr %none.at
  call void @take(ptr %table, ptr %none)
  ret ptr %none
failed:
  ret ptr null
slow:
  %result = call ptr @method(ptr %table, ptr %o, ptr %key, ptr %name)
  ret ptr %result
}

define internal ptr @method(ptr %table, ptr %o, ptr %argument, ptr %name) nounwind {
  %both = alloca [2 x ptr]
  store ptr %o, ptr %both
  %second = getelementptr ptr, ptr %both, i64 1
  store ptr %argument, ptr %second
  %f.at = getelementptr ptr, ptr %table, i64 $PyObject_VectorcallMethod
  %f = load ptr, ptr %f.at
  %result = call ptr %f(ptr %name, ptr %both, i64 2, ptr null)
  ret ptr %result
}

; A list or tuple as it is; of anything else that can be gone over a list.
define internal ptr @sequence(ptr %table, ptr %o) nounwind {
entry:
  %type = call ptr @type(ptr %o)
  %list.at = getelementptr ptr, ptr %table, i64 $list
  %list = load ptr, ptr %list.at
  %is.list = icmp eq ptr %type, %list
  %tuple.at = getelementptr ptr, ptr %table, i64 $tuple
  %tuple = load ptr, ptr %tuple.at
  %is.tuple = icmp eq ptr %type, %tuple
  %is.either = or i1 %is.list, %is.tuple
  br i1 %is.either, label %same, label %other
same:
  call void @take(ptr %table, ptr %o)
  ret ptr %o
other:
  %f.at = getelementptr ptr, ptr %table, i64 $PySequence_List
  %f = load ptr, ptr %f.at
  %made = call ptr %f(ptr %o)
  ret ptr %made
}

; An attribute of a `threading.local`: `mine` is the dict of one thread.
define internal ptr @of_thread(ptr %table, ptr %mine, ptr %name, ptr %o) nounwind {
entry:
  %thread.at = getelementptr i64, ptr %table, i64 $thread
  %thread = load i64, ptr %thread.at
  %i.at = getelementptr ptr, ptr %table, i64 $PyThread_get_thread_ident
  %i = load ptr, ptr %i.at
  %now = call i64 %i()
  %same = icmp eq i64 %now, %thread
  br i1 %same, label %quick, label %slow
quick:
  %f.at = getelementptr ptr, ptr %table, i64 $PyDict_GetItemWithError
  %f = load ptr, ptr %f.at
  %found = call ptr %f(ptr %mine, ptr %name)
  %missing = icmp eq ptr %found, null
  br i1 %missing, label %slow, label %good
good:
  call void @take(ptr %table, ptr %found)
  ret ptr %found
slow:
  %g.at = getelementptr ptr, ptr %table, i64 $PyObject_GetAttr
  %g = load ptr, ptr %g.at
  %result = call ptr %g(ptr %o, ptr %name)
  ret ptr %result
}

; An attribute that lies in a slot, if that is not null and holds something; else as Python finds it.
define internal ptr @get(ptr %table, ptr %slot, ptr %o, ptr %name) alwaysinline nounwind {
entry:
  %unknown = icmp eq ptr %slot, null
  br i1 %unknown, label %ask, label %look
look:
  %value = load ptr, ptr %slot
  %empty = icmp eq ptr %value, null
  br i1 %empty, label %ask, label %found
found:
  call void @take(ptr %table, ptr %value)
  ret ptr %value
ask:
  %f.at = getelementptr ptr, ptr %table, i64 $PyObject_GetAttr
  %f = load ptr, ptr %f.at
  %asked = call ptr %f(ptr %o, ptr %name)
  ret ptr %asked
}

; The same for a pointer that is only compared: nothing is taken.
define internal ptr @peek(ptr %table, ptr %slot, ptr %o, ptr %name) alwaysinline nounwind {
entry:
  %unknown = icmp eq ptr %slot, null
  br i1 %unknown, label %ask, label %look
look:
  %value = load ptr, ptr %slot
  %empty = icmp eq ptr %value, null
  br i1 %empty, label %ask, label %found
found:
  ret ptr %value
ask:
  %f.at = getelementptr ptr, ptr %table, i64 $PyObject_GetAttr
  %f = load ptr, ptr %f.at
  %asked = call ptr %f(ptr %o, ptr %name)
  call void @give_any(ptr %table, ptr %asked)
  ret ptr %asked
}

define internal i32 @set(ptr %table, ptr %slot, ptr %o, ptr %name, ptr %v) alwaysinline nounwind {
entry:
  %unknown = icmp eq ptr %slot, null
  br i1 %unknown, label %ask, label %store
store:
  %old = load ptr, ptr %slot
  call void @take(ptr %table, ptr %v)
  store ptr %v, ptr %slot
  call void @give_any(ptr %table, ptr %old)
  ret i32 0
ask:
  %f.at = getelementptr ptr, ptr %table, i64 $PyObject_SetAttr
  %f = load ptr, ptr %f.at
  %code = call i32 %f(ptr %o, ptr %name, ptr %v)
  ret i32 %code
}
