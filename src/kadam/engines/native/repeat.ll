; Runs a program many times in one call. Between runs, addresses move on by fixed strides.

; Whether the number that stands at `value` is nan or infinite, of the given size in bytes; 0 bytes: nobody asks.
define internal i1 @wild(ptr %value, i64 %bytes) nounwind {
entry:
  switch i64 %bytes, label %quiet [ i64 4, label %single
                                    i64 8, label %double ]
single:
  %word = load i32, ptr %value
  %exponent = and i32 %word, 2139095040
  %full = icmp eq i32 %exponent, 2139095040
  ret i1 %full
double:
  %words = load i64, ptr %value
  %exponents = and i64 %words, 9218868437227405312
  %filled = icmp eq i64 %exponents, 9218868437227405312
  ret i1 %filled
quiet:
  ret i1 false
}

; Puts the next address of each of `count` moving values into its slot.
define internal void @move(ptr %movings, i64 %count) nounwind {
entry:
  br label %look
look:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %all = icmp eq i64 %i, %count
  br i1 %all, label %end, label %one
one:
  %slot.at = getelementptr $Moving, ptr %movings, i64 %i, $Moving.slot
  %slot = load ptr, ptr %slot.at
  %next.at = getelementptr $Moving, ptr %movings, i64 %i, $Moving.next
  %next = load ptr, ptr %next.at
  %stride.at = getelementptr $Moving, ptr %movings, i64 %i, $Moving.stride
  %stride = load i64, ptr %stride.at
  store ptr %next, ptr %slot
  %after = getelementptr i8, ptr %next, i64 %stride
  store ptr %after, ptr %next.at
  %i.next = add i64 %i, 1
  br label %look
end:
  ret void
}

; Runs the program up to `runs` times; ends early after a run that was refused, whose code it returns, or whose watched
; value is nan or infinite. `done` counts the runs that were not refused.
define i64 @kadam_repeat(ptr %repeat) nounwind {
entry:
  %program.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.program
  %program = load ptr, ptr %program.at
  %movings.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.movings
  %movings = load ptr, ptr %movings.at
  %count.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.moving_count
  %count = load i64, ptr %count.at
  %runs.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.runs
  %runs = load i64, ptr %runs.at
  %watched.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.watched
  %watched = load ptr, ptr %watched.at
  %bytes.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.watched_bytes
  %bytes = load i64, ptr %bytes.at
  %done.at = getelementptr $Repeat, ptr %repeat, i32 0, $Repeat.done
  call void @acquire(ptr %program)
  br label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k.next, %check ]
  store i64 %k, ptr %done.at
  %all = icmp eq i64 %k, %runs
  br i1 %all, label %end, label %run
run:
  call void @move(ptr %movings, i64 %count)
  %code = call i64 @execute(ptr %program, ptr null)
  %good = icmp eq i64 %code, 0
  br i1 %good, label %check, label %end
check:
  %k.next = add i64 %k, 1
  %value = load ptr, ptr %watched
  %wild = call i1 @wild(ptr %value, i64 %bytes)
  br i1 %wild, label %last, label %look
last:
  store i64 %k.next, ptr %done.at
  br label %end
end:
  %result = phi i64 [ 0, %look ], [ %code, %run ], [ 0, %last ]
  call void @release(ptr %program)
  ret i64 %result
}
