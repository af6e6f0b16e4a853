; References, as Python itself counts them.

define internal void @take(ptr %table, ptr %o) nounwind {
  %f.at = getelementptr ptr, ptr %table, i64 $Py_IncRef
  %f = load ptr, ptr %f.at
  call void %f(ptr %o)
  ret void
}

define internal void @give(ptr %table, ptr %o) nounwind {
  %f.at = getelementptr ptr, ptr %table, i64 $Py_DecRef
  %f = load ptr, ptr %f.at
  call void %f(ptr %o)
  ret void
}
