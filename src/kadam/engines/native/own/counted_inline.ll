; References, where Python keeps their number in a word (up to 3.11).

define internal void @take(ptr %table, ptr %o) alwaysinline nounwind {
  %count = load i64, ptr %o
  %more = add i64 %count, 1
  store i64 %more, ptr %o
  ret void
}

define internal void @give(ptr %table, ptr %o) nounwind {
entry:
  %count = load i64, ptr %o
  %less = add i64 %count, -1
  store i64 %less, ptr %o
  %dead = icmp eq i64 %less, 0
  br i1 %dead, label %free, label %end
free:
  %f.at = getelementptr ptr, ptr %table, i64 $_Py_Dealloc
  %f = load ptr, ptr %f.at
  call void %f(ptr %o)
  br label %end
end:
  ret void
}
