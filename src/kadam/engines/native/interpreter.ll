; Runs a program: puts the addresses of inputs and outputs into their slots, then launches kernel after kernel.

; Whether this thread may now run the program. A holder of an earlier epoch was left behind by a fork.
define internal i1 @try(ptr %program) nounwind {
entry:
  %busy.at = getelementptr $Program, ptr %program, i32 0, $Program.busy
  %process.at = getelementptr $Program, ptr %program, i32 0, $Program.process
  %process = load ptr, ptr %process.at
  %epoch.at = getelementptr $Process, ptr %process, i32 0, $Process.epoch
  %epoch = load i64, ptr %epoch.at
  %busy = load atomic i64, ptr %busy.at monotonic, align 8
  %held = icmp eq i64 %busy, %epoch
  br i1 %held, label %no, label %take
take:
  %swap = cmpxchg ptr %busy.at, i64 %busy, i64 %epoch acquire monotonic
  %mine = extractvalue { i64, i1 } %swap, 1
  ret i1 %mine
no:
  ret i1 false
}

define internal void @acquire(ptr %program) nounwind {
entry:
  br label %again
again:
  %mine = call i1 @try(ptr %program)
  br i1 %mine, label %end, label %wait
wait:
  call void @nap()
  br label %again
end:
  ret void
}

define internal void @release(ptr %program) nounwind {
  %busy.at = getelementptr $Program, ptr %program, i32 0, $Program.busy
  store atomic i64 0, ptr %busy.at release, align 8
  ret void
}

; The items of a Python list of `count` items; null if it is none.
define internal ptr @items(ptr %list, i64 %count, ptr %process) nounwind {
entry:
  %list_type.at = getelementptr $Process, ptr %process, i32 0, $Process.list_type
  %list_type = load ptr, ptr %list_type.at
  %type.at = getelementptr i8, ptr %list, i64 $type
  %type = load ptr, ptr %type.at
  %is.list = icmp eq ptr %type, %list_type
  br i1 %is.list, label %measure, label %bad
measure:
  %size.at = getelementptr i8, ptr %list, i64 $list_size
  %size = load i64, ptr %size.at
  %fits = icmp eq i64 %size, %count
  br i1 %fits, label %good, label %bad
good:
  %items.at = getelementptr i8, ptr %list, i64 $list_items
  %items = load ptr, ptr %items.at
  ret ptr %items
bad:
  ret ptr null
}

; The data of a contiguous, aligned array that may be `writeable`; null for anything else.
define internal ptr @data(ptr %object, i32 %needed, ptr %process) nounwind {
entry:
  %array_type.at = getelementptr $Process, ptr %process, i32 0, $Process.array_type
  %array_type = load ptr, ptr %array_type.at
  %type.at = getelementptr i8, ptr %object, i64 $type
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, %array_type
  br i1 %is.array, label %look, label %bad
look:
  %flags.at = getelementptr i8, ptr %object, i64 $array_flags
  %flags = load i32, ptr %flags.at
  %have = and i32 %flags, %needed
  %all = icmp eq i32 %have, %needed
  br i1 %all, label %good, label %bad
good:
  %data.at = getelementptr i8, ptr %object, i64 $array_data
  %data = load ptr, ptr %data.at
  ret ptr %data
bad:
  ret ptr null
}

; Where the double of a Python float, or of an array of float64, stands; null for anything else.
define internal ptr @number(ptr %object, ptr %process) nounwind {
entry:
  %float_type.at = getelementptr $Process, ptr %process, i32 0, $Process.float_type
  %float_type = load ptr, ptr %float_type.at
  %type.at = getelementptr i8, ptr %object, i64 $type
  %type = load ptr, ptr %type.at
  %is.float = icmp eq ptr %type, %float_type
  br i1 %is.float, label %float, label %array
float:
  %value = getelementptr i8, ptr %object, i64 $float_value
  ret ptr %value
array:
  %data = call ptr @data(ptr %object, i32 $readable, ptr %process)
  %none = icmp eq ptr %data, null
  br i1 %none, label %bad, label %check
check:
  %float64.at = getelementptr $Process, ptr %process, i32 0, $Process.float64
  %float64 = load ptr, ptr %float64.at
  %dtype.at = getelementptr i8, ptr %object, i64 $array_dtype
  %dtype = load ptr, ptr %dtype.at
  %is.double = icmp eq ptr %dtype, %float64
  br i1 %is.double, label %good, label %bad
good:
  ret ptr %data
bad:
  ret ptr null
}

; Puts addresses into slots. Returns 0, -1 - i if feed i is not as promised, or the verdict on a bad call.
define internal i64 @gather(ptr %program, ptr %feeds, ptr %outputs) nounwind {
entry:
  %process.at = getelementptr $Program, ptr %program, i32 0, $Program.process
  %process = load ptr, ptr %process.at
  %feed_count.at = getelementptr $Program, ptr %program, i32 0, $Program.feed_count
  %feed_count = load i64, ptr %feed_count.at
  %output_count.at = getelementptr $Program, ptr %program, i32 0, $Program.output_count
  %output_count = load i64, ptr %output_count.at
  %table.at = getelementptr $Program, ptr %program, i32 0, $Program.feeds
  %table = load ptr, ptr %table.at
  %slots.at = getelementptr $Program, ptr %program, i32 0, $Program.outputs
  %slots = load ptr, ptr %slots.at
  %given = call ptr @items(ptr %feeds, i64 %feed_count, ptr %process)
  %wanted = call ptr @items(ptr %outputs, i64 %output_count, ptr %process)
  %no.feeds = icmp eq ptr %given, null
  %some.feeds = icmp ne i64 %feed_count, 0
  %bad.feeds = and i1 %no.feeds, %some.feeds
  %no.outputs = icmp eq ptr %wanted, null
  %some.outputs = icmp ne i64 %output_count, 0
  %bad.outputs = and i1 %no.outputs, %some.outputs
  %bad = or i1 %bad.feeds, %bad.outputs
  br i1 %bad, label %refuse, label %feed
refuse:
  ret i64 $bad_call
feed:
  %i = phi i64 [ 0, %entry ], [ %i.next, %put ]
  %fed = icmp eq i64 %i, %feed_count
  br i1 %fed, label %output, label %one
one:
  %object.at = getelementptr ptr, ptr %given, i64 %i
  %object = load ptr, ptr %object.at
  %number.at = getelementptr $Feed, ptr %table, i64 %i, $Feed.number
  %number = load i64, ptr %number.at
  %is.array = icmp eq i64 %number, 0
  br i1 %is.array, label %array, label %scalar
array:
  %data = call ptr @data(ptr %object, i32 $readable, ptr %process)
  br label %found
scalar:
  %double = call ptr @number(ptr %object, ptr %process)
  br label %found
found:
  %address = phi ptr [ %data, %array ], [ %double, %scalar ]
  %wrong = icmp eq ptr %address, null
  br i1 %wrong, label %return, label %put
return:
  %verdict = xor i64 %i, -1
  ret i64 %verdict
put:
  %slot.at = getelementptr $Feed, ptr %table, i64 %i, $Feed.slot
  %slot = load ptr, ptr %slot.at
  store ptr %address, ptr %slot
  %i.next = add i64 %i, 1
  br label %feed
output:
  %o = phi i64 [ 0, %feed ], [ %o.next, %fill ]
  %filled = icmp eq i64 %o, %output_count
  br i1 %filled, label %end, label %next
next:
  %result.at = getelementptr ptr, ptr %wanted, i64 %o
  %result = load ptr, ptr %result.at
  %memory = call ptr @data(ptr %result, i32 $writeable, ptr %process)
  %none = icmp eq ptr %memory, null
  br i1 %none, label %refuse, label %fill
fill:
  %output.at = getelementptr ptr, ptr %slots, i64 %o
  %output.slot = load ptr, ptr %output.at
  store ptr %memory, ptr %output.slot
  %o.next = add i64 %o, 1
  br label %output
end:
  ret i64 0
}

; Launches all kernels; stops after one that stored a code to the error cell, and returns it. `times`, if any, gets the
; time before the first and after each, in nanoseconds.
define internal i64 @execute(ptr %program, ptr %times) nounwind {
entry:
  %count.at = getelementptr $Program, ptr %program, i32 0, $Program.launch_count
  %count = load i64, ptr %count.at
  %launches.at = getelementptr $Program, ptr %program, i32 0, $Program.launches
  %launches = load ptr, ptr %launches.at
  %error.at = getelementptr $Program, ptr %program, i32 0, $Program.error
  %error = load ptr, ptr %error.at
  %team.at = getelementptr $Program, ptr %program, i32 0, $Program.team
  %team = load ptr, ptr %team.at
  %parallel.at = getelementptr $Program, ptr %program, i32 0, $Program.parallel
  %parallel = load i64, ptr %parallel.at
  store i64 0, ptr %error
  %quiet = icmp eq i64 %parallel, 0
  br i1 %quiet, label %begin, label %rouse
rouse:
  call void @rouse(ptr %team)
  br label %begin
begin:
  %timed = icmp ne ptr %times, null
  br i1 %timed, label %first, label %launch
first:
  %start = call i64 @now()
  store i64 %start, ptr %times
  br label %launch
launch:
  %i = phi i64 [ 0, %begin ], [ 0, %first ], [ %i.next, %next ]
  %i.next = add i64 %i, 1
  %all = icmp eq i64 %i, %count
  br i1 %all, label %end, label %one
one:
  %kernel.at = getelementptr $Launch, ptr %launches, i64 %i, $Launch.kernel
  %kernel = load ptr, ptr %kernel.at
  %args.at = getelementptr $Launch, ptr %launches, i64 %i, $Launch.args
  %args = load ptr, ptr %args.at
  %tasks.at = getelementptr $Launch, ptr %launches, i64 %i, $Launch.tasks
  %tasks = load i64, ptr %tasks.at
  %chunks.at = getelementptr $Launch, ptr %launches, i64 %i, $Launch.chunks
  %chunks = load i64, ptr %chunks.at
  %serial = icmp eq i64 %chunks, 1
  br i1 %serial, label %alone, label %shared
alone:
  call void %kernel(ptr %args, i64 0, i64 %tasks)
  br label %ran
shared:
  %grain.at = getelementptr $Launch, ptr %launches, i64 %i, $Launch.grain
  %grain = load i64, ptr %grain.at
  call void @share(ptr %team, ptr %kernel, ptr %args, i64 %tasks, i64 %grain, i64 %chunks)
  br label %ran
ran:
  br i1 %timed, label %time, label %look
time:
  %now = call i64 @now()
  %time.at = getelementptr i64, ptr %times, i64 %i.next
  store i64 %now, ptr %time.at
  br label %look
look:
  %checks.at = getelementptr $Launch, ptr %launches, i64 %i, $Launch.checks
  %checks = load i64, ptr %checks.at
  %sure = icmp eq i64 %checks, 0
  br i1 %sure, label %next, label %check
check:
  %code = load i64, ptr %error
  %good = icmp eq i64 %code, 0
  br i1 %good, label %next, label %fail
next:
  br label %launch
fail:
  ret i64 %code
end:
  ret i64 0
}

; The way in for ctypes, which has let other Python threads run. Without `feeds` the slots are filled already.
define i64 @kadam_run(ptr %program, ptr %feeds, ptr %outputs, ptr %times) nounwind {
entry:
  call void @acquire(ptr %program)
  %ready = icmp eq ptr %feeds, null
  br i1 %ready, label %run, label %fill
fill:
  %wrong = call i64 @gather(ptr %program, ptr %feeds, ptr %outputs)
  %right = icmp eq i64 %wrong, 0
  br i1 %right, label %run, label %end
run:
  %code = call i64 @execute(ptr %program, ptr %times)
  br label %end
end:
  %result = phi i64 [ %wrong, %fill ], [ %code, %run ]
  call void @release(ptr %program)
  ret i64 %result
}

; The way in as a builtin function of Python (METH_FASTCALL) with two arguments; `self` is the array of the program.
define ptr @kadam_call(ptr %self, ptr %arguments, i64 %count) nounwind {
entry:
  %program.at = getelementptr i8, ptr %self, i64 $array_data
  %program = load ptr, ptr %program.at
  %process.at = getelementptr $Program, ptr %program, i32 0, $Program.process
  %process = load ptr, ptr %process.at
  %save.at = getelementptr $Process, ptr %process, i32 0, $Process.save_thread
  %save = load ptr, ptr %save.at
  %restore.at = getelementptr $Process, ptr %process, i32 0, $Process.restore_thread
  %restore = load ptr, ptr %restore.at
  %to_int.at = getelementptr $Process, ptr %process, i32 0, $Process.to_int
  %to_int = load ptr, ptr %to_int.at
  %two = icmp eq i64 %count, 2
  br i1 %two, label %take, label %end
take:
  %mine = call i1 @try(ptr %program)
  br i1 %mine, label %fill, label %queue
queue:
  %waiting = call ptr %save()
  call void @acquire(ptr %program)
  call void %restore(ptr %waiting)
  br label %fill
fill:
  %feeds = load ptr, ptr %arguments
  %outputs.at = getelementptr ptr, ptr %arguments, i64 1
  %outputs = load ptr, ptr %outputs.at
  %wrong = call i64 @gather(ptr %program, ptr %feeds, ptr %outputs)
  %right = icmp eq i64 %wrong, 0
  br i1 %right, label %run, label %give
run:
  %release.at = getelementptr $Program, ptr %program, i32 0, $Program.release
  %release = load i64, ptr %release.at
  %short = icmp eq i64 %release, 0
  br i1 %short, label %keep, label %let
keep:
  %code1 = call i64 @execute(ptr %program, ptr null)
  br label %give
let:
  ; The program is given back before Python is asked for again: another thread may wait for the one with the other.
  %thread = call ptr %save()
  %code2 = call i64 @execute(ptr %program, ptr null)
  call void @release(ptr %program)
  call void %restore(ptr %thread)
  br label %end
give:
  %code3 = phi i64 [ %wrong, %fill ], [ %code1, %keep ]
  call void @release(ptr %program)
  br label %end
end:
  %code = phi i64 [ $bad_call, %entry ], [ %code2, %let ], [ %code3, %give ]
  %result = call ptr %to_int(i64 %code)
  ret ptr %result
}

; The engine's own code is kept and loaded as a kernel is; run as one, it tells where its functions stand.
define void @kernel(ptr %addresses, i64 %begin, i64 %end) nounwind {
  %call.at = getelementptr ptr, ptr %addresses, i64 0
  %run.at = getelementptr ptr, ptr %addresses, i64 1
  %make.at = getelementptr ptr, ptr %addresses, i64 2
  %stop.at = getelementptr ptr, ptr %addresses, i64 3
  %resume.at = getelementptr ptr, ptr %addresses, i64 4
  store ptr @kadam_call, ptr %call.at
  store ptr @kadam_run, ptr %run.at
  store ptr @kadam_team_make, ptr %make.at
  store ptr @kadam_team_stop, ptr %stop.at
  store ptr @kadam_team_resume, ptr %resume.at
  %repeat.at = getelementptr ptr, ptr %addresses, i64 5
  store ptr @kadam_repeat, ptr %repeat.at
  %chain.at = getelementptr ptr, ptr %addresses, i64 6
  store ptr @kadam_chain, ptr %chain.at
  ret void
}
