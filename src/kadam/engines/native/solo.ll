; What stands for the team on systems without POSIX threads: every launch is run by its caller.

declare i32 @QueryPerformanceCounter(ptr) nounwind
declare i32 @QueryPerformanceFrequency(ptr) nounwind
declare void $pause.declared

define internal i64 @now() nounwind {
  %count.at = alloca i64
  %rate.at = alloca i64
  %counted = call i32 @QueryPerformanceCounter(ptr %count.at)
  %rated = call i32 @QueryPerformanceFrequency(ptr %rate.at)
  %count = load i64, ptr %count.at
  %rate = load i64, ptr %rate.at
  %counts = sitofp i64 %count to double
  %per.second = sitofp i64 %rate to double
  %seconds = fdiv double %counts, %per.second
  %ns = fmul double %seconds, 1.0e9
  %whole = fptosi double %ns to i64
  ret i64 %whole
}

define internal void @nap() nounwind {
  call void $pause
  ret void
}

define internal void @rouse(ptr %team) nounwind {
  ret void
}

define internal void @share(ptr %team, ptr %kernel, ptr %args, i64 %tasks, i64 %grain, i64 %chunks) nounwind {
  call void %kernel(ptr %args, i64 0, i64 %tasks)
  ret void
}

define void @kadam_team_make(ptr %team) nounwind {
  ret void
}

define void @kadam_team_stop(ptr %team) nounwind {
  ret void
}

define void @kadam_team_resume(ptr %team, i64 %helpers) nounwind {
  ret void
}
