; The team: threads that share the chunks of one launch with the thread that calls it.
;
; A job is published by its description and then `state`: its number << 32 | chunks that nobody has claimed. A chunk is
; claimed by counting `state` down, so a claim fails if anything happened since it was read: a helper that was held up
; never touches a job that is over. The caller claims chunks like any helper and waits for claimed chunks only: helpers
; that the system gives no time cost nothing.

declare i32 @pthread_create(ptr, ptr, ptr, ptr) nounwind
declare i32 @pthread_join(i64, ptr) nounwind
declare i32 @pthread_mutex_init(ptr, ptr) nounwind
declare i32 @pthread_mutex_lock(ptr) nounwind
declare i32 @pthread_mutex_unlock(ptr) nounwind
declare i32 @pthread_cond_init(ptr, ptr) nounwind
declare i32 @pthread_cond_wait(ptr, ptr) nounwind
declare i32 @pthread_cond_broadcast(ptr) nounwind
declare i32 @pthread_sigmask(i32, ptr, ptr) nounwind
declare i32 @sigfillset(ptr) nounwind
declare i32 @sched_yield() nounwind
declare i32 @usleep(i32) nounwind
declare i32 @clock_gettime(i32, ptr) nounwind
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare void $pause.declared

define internal i64 @now() nounwind {
  %time = alloca { i64, i64 }
  %failed = call i32 @clock_gettime(i32 $clock, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr { i64, i64 }, ptr %time, i32 0, i32 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %ns = add i64 %whole, %rest
  ret i64 %ns
}

; Waits a little for something that another thread has.
define internal void @nap() nounwind {
  %slept = call i32 @usleep(i32 20)
  ret void
}

; Whether a state has chunks that nobody has claimed: %first ... %end - 1, below the job's number, 16 bits each.
define internal i1 @open(i64 %state) nounwind {
  %shifted = lshr i64 %state, 16
  %first = and i64 %shifted, 65535
  %end = and i64 %state, 65535
  %left = icmp ne i64 %first, %end
  ret i1 %left
}

; Claims a chunk and runs it; false where none is left. The caller takes the first, helpers the last, so that a part of
; memory that a kernel updates at every step is mostly worked on by one core, and stays in its cache.
define internal i1 @work(ptr %team, i1 %helper) nounwind {
entry:
  %state.at = getelementptr $Team, ptr %team, i32 0, $Team.state
  %kernel.at = getelementptr $Team, ptr %team, i32 0, $Team.kernel
  %args.at = getelementptr $Team, ptr %team, i32 0, $Team.args
  %tasks.at = getelementptr $Team, ptr %team, i32 0, $Team.tasks
  %grain.at = getelementptr $Team, ptr %team, i32 0, $Team.grain
  %done.at = getelementptr $Team, ptr %team, i32 0, $Team.done
  br label %look
look:
  %state = load atomic i64, ptr %state.at acquire, align 8
  %any = call i1 @open(i64 %state)
  br i1 %any, label %claim, label %nothing
claim:
  %kernel = load atomic ptr, ptr %kernel.at monotonic, align 8
  %args = load atomic ptr, ptr %args.at monotonic, align 8
  %tasks = load atomic i64, ptr %tasks.at monotonic, align 8
  %grain = load atomic i64, ptr %grain.at monotonic, align 8
  %fewer.last = sub i64 %state, 1
  %fewer.first = add i64 %state, 65536
  %claimed = select i1 %helper, i64 %fewer.last, i64 %fewer.first
  %swap = cmpxchg ptr %state.at, i64 %state, i64 %claimed acq_rel monotonic
  %won = extractvalue { i64, i1 } %swap, 1
  br i1 %won, label %run, label %look
run:
  %last = and i64 %fewer.last, 65535
  %shifted = lshr i64 %state, 16
  %first = and i64 %shifted, 65535
  %chunk = select i1 %helper, i64 %last, i64 %first
  %begin = mul i64 %chunk, %grain
  %full = add i64 %begin, %grain
  %end = call i64 @llvm.smin.i64(i64 %full, i64 %tasks)
  call void %kernel(ptr %args, i64 %begin, i64 %end)
  %before = atomicrmw add ptr %done.at, i64 1 release
  ret i1 true
nothing:
  ret i1 false
}

; Wakes the helpers that sleep; costs a load where none does. They count as awake from now on: waking takes the system
; longer than many a launch, and once is enough.
define internal void @wake(ptr %team) nounwind {
  %parked.at = getelementptr $Team, ptr %team, i32 0, $Team.parked
  %parked = load atomic i64, ptr %parked.at seq_cst, align 8
  %all.awake = icmp eq i64 %parked, 0
  br i1 %all.awake, label %end, label %call
call:
  %mutex = getelementptr $Team, ptr %team, i32 0, $Team.mutex
  %condition = getelementptr $Team, ptr %team, i32 0, $Team.condition
  %alarm.at = getelementptr $Team, ptr %team, i32 0, $Team.alarm
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %alarm = load i64, ptr %alarm.at
  %raised = add i64 %alarm, 1
  store i64 %raised, ptr %alarm.at
  store atomic i64 0, ptr %parked.at seq_cst, align 8
  %called = call i32 @pthread_cond_broadcast(ptr %condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}

; Sleeps until the alarm, unless there is work already, or the end.
define internal void @park(ptr %team) nounwind {
  %mutex = getelementptr $Team, ptr %team, i32 0, $Team.mutex
  %condition = getelementptr $Team, ptr %team, i32 0, $Team.condition
  %parked.at = getelementptr $Team, ptr %team, i32 0, $Team.parked
  %alarm.at = getelementptr $Team, ptr %team, i32 0, $Team.alarm
  %state.at = getelementptr $Team, ptr %team, i32 0, $Team.state
  %stop.at = getelementptr $Team, ptr %team, i32 0, $Team.stop
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %heard = load i64, ptr %alarm.at
  ; Both orders are safe: who publishes a job sees this helper counted and calls it, or this helper sees the job.
  %before = atomicrmw add ptr %parked.at, i64 1 seq_cst
  %state = load atomic i64, ptr %state.at seq_cst, align 8
  %any = call i1 @open(i64 %state)
  %left = zext i1 %any to i64
  %stop = load atomic i64, ptr %stop.at seq_cst, align 8
  %work.or.stop = or i64 %left, %stop
  %sleep = icmp eq i64 %work.or.stop, 0
  br i1 %sleep, label %wait, label %stay
stay:
  %after = atomicrmw sub ptr %parked.at, i64 1 seq_cst
  br label %up
wait:
  %waited = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  %alarm = load i64, ptr %alarm.at
  %silent = icmp eq i64 %alarm, %heard
  br i1 %silent, label %wait, label %up
up:
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}

; A helper's life.
define internal ptr @help(ptr %team) nounwind {
entry:
  %stop.at = getelementptr $Team, ptr %team, i32 0, $Team.stop
  %spin.at = getelementptr $Team, ptr %team, i32 0, $Team.spin_ns
  br label %awake
awake:
  %since = call i64 @now()
  br label %look
look:
  %pauses = phi i64 [ 0, %awake ], [ %paused, %idle ], [ 0, %clock ]
  %worked = call i1 @work(ptr %team, i1 true)
  br i1 %worked, label %awake, label %ended
ended:
  %stop = load atomic i64, ptr %stop.at acquire, align 8
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %end, label %idle
idle:
  call void $pause
  %paused = add i64 %pauses, 1
  %often = icmp eq i64 %paused, 16
  br i1 %often, label %clock, label %look
clock:
  %time = call i64 @now()
  %idled = sub i64 %time, %since
  %spin = load atomic i64, ptr %spin.at monotonic, align 8
  %late = icmp sgt i64 %idled, %spin
  br i1 %late, label %sleep, label %look
sleep:
  call void @park(ptr %team)
  br label %awake
end:
  ret ptr null
}

; Starts the helpers that are wanted, with all signals blocked: those are for Python's own threads.
define internal void @start(ptr %team) nounwind {
entry:
  %all = alloca [32 x i64]
  %mine = alloca [32 x i64]
  %wanted.at = getelementptr $Team, ptr %team, i32 0, $Team.wanted
  %running.at = getelementptr $Team, ptr %team, i32 0, $Team.running
  %wanted = load i64, ptr %wanted.at
  %filled = call i32 @sigfillset(ptr %all)
  %blocked = call i32 @pthread_sigmask(i32 $set_mask, ptr %all, ptr %mine)
  br label %next
next:
  %count = phi i64 [ 0, %entry ], [ %more, %create ]
  %enough = icmp eq i64 %count, %wanted
  br i1 %enough, label %end, label %create
create:
  %thread = getelementptr $Team, ptr %team, i32 0, $Team.threads, i64 %count
  %failure = call i32 @pthread_create(ptr %thread, ptr null, ptr @help, ptr %team)
  %more = add i64 %count, 1
  %created = icmp eq i32 %failure, 0
  br i1 %created, label %next, label %end
end:
  ; The system may grant fewer than were wanted; those then are all.
  %restored = call i32 @pthread_sigmask(i32 $set_mask, ptr %mine, ptr null)
  store i64 %count, ptr %running.at
  store atomic i64 %count, ptr %wanted.at monotonic, align 8
  ret void
}

; Runs one launch with the team, or alone where the team is busy, starting or stopping, or was just held up.
define internal void @share(ptr %team, ptr %kernel, ptr %args, i64 %tasks, i64 %grain, i64 %chunks) nounwind {
entry:
  %lock.at = getelementptr $Team, ptr %team, i32 0, $Team.lock
  %wanted.at = getelementptr $Team, ptr %team, i32 0, $Team.wanted
  %rest.at = getelementptr $Team, ptr %team, i32 0, $Team.rest_ns
  %wanted = load atomic i64, ptr %wanted.at monotonic, align 8
  %one = icmp eq i64 %wanted, 0
  br i1 %one, label %alone, label %ask
ask:
  %started = call i64 @now()
  %rest = load atomic i64, ptr %rest.at monotonic, align 8
  %resting = icmp slt i64 %started, %rest
  br i1 %resting, label %alone, label %try
try:
  %swap = cmpxchg ptr %lock.at, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %swap, 1
  br i1 %free, label %mine, label %alone
alone:
  call void %kernel(ptr %args, i64 0, i64 %tasks)
  ret void
mine:
  %running.at = getelementptr $Team, ptr %team, i32 0, $Team.running
  %running = load i64, ptr %running.at
  %absent = icmp eq i64 %running, 0
  br i1 %absent, label %gather, label %publish
gather:
  call void @start(ptr %team)
  br label %publish
publish:
  %state.at = getelementptr $Team, ptr %team, i32 0, $Team.state
  %kernel.at = getelementptr $Team, ptr %team, i32 0, $Team.kernel
  %args.at = getelementptr $Team, ptr %team, i32 0, $Team.args
  %tasks.at = getelementptr $Team, ptr %team, i32 0, $Team.tasks
  %grain.at = getelementptr $Team, ptr %team, i32 0, $Team.grain
  %done.at = getelementptr $Team, ptr %team, i32 0, $Team.done
  store atomic ptr %kernel, ptr %kernel.at monotonic, align 8
  store atomic ptr %args, ptr %args.at monotonic, align 8
  store atomic i64 %tasks, ptr %tasks.at monotonic, align 8
  store atomic i64 %grain, ptr %grain.at monotonic, align 8
  store atomic i64 0, ptr %done.at monotonic, align 8
  %last = load atomic i64, ptr %state.at monotonic, align 8
  %number = lshr i64 %last, 32
  %next = add i64 %number, 1
  %high = shl i64 %next, 32
  %state = or i64 %high, %chunks
  store atomic i64 %state, ptr %state.at seq_cst, align 8
  call void @wake(ptr %team)
  br label %take
take:
  %own = phi i64 [ 0, %publish ], [ %own.next, %took ]
  %worked = call i1 @work(ptr %team, i1 false)
  br i1 %worked, label %took, label %wait
took:
  %own.next = add i64 %own, 1
  br label %take
wait:
  %spins = phi i64 [ 0, %take ], [ %spun, %spin ]
  %done = load atomic i64, ptr %done.at acquire, align 8
  %finished = icmp eq i64 %done, %chunks
  br i1 %finished, label %end, label %more
more:
  %patient = icmp ult i64 %spins, 1000
  br i1 %patient, label %spin, label %late
spin:
  call void $pause
  %spun = add i64 %spins, 1
  br label %wait
late:
  call void @await(ptr %team, i64 %chunks, i64 %own, i64 %started)
  br label %end
end:
  store atomic i64 0, ptr %lock.at release, align 8
  ret void
}

; Waits for the last chunks, which a helper has. If that takes much longer than the caller's own chunks did, the system
; has given the helper's core to another process; then the team rests, so that such waits are a small part of the time.
define internal void @await(ptr %team, i64 %chunks, i64 %own, i64 %started) nounwind {
entry:
  %done.at = getelementptr $Team, ptr %team, i32 0, $Team.done
  %rest.at = getelementptr $Team, ptr %team, i32 0, $Team.rest_ns
  %from = call i64 @now()
  br label %wait
wait:
  %yielded = call i32 @sched_yield()
  %done = load atomic i64, ptr %done.at acquire, align 8
  %finished = icmp eq i64 %done, %chunks
  br i1 %finished, label %judge, label %wait
judge:
  %to = call i64 @now()
  %waited = sub i64 %to, %from
  %worked = sub i64 %from, %started
  %any = call i64 @llvm.smax.i64(i64 %own, i64 1)
  %usual = sdiv i64 %worked, %any
  %twice = mul i64 %usual, 2
  %tolerable = add i64 %twice, $patience_ns
  %stalled = icmp sgt i64 %waited, %tolerable
  br i1 %stalled, label %rest, label %end
rest:
  %pause = mul i64 %waited, $rest_factor
  %until = add i64 %to, %pause
  store atomic i64 %until, ptr %rest.at monotonic, align 8
  br label %end
end:
  ret void
}

; Wakes sleeping helpers at the start of a program that will have work for them.
define internal void @rouse(ptr %team) nounwind {
entry:
  %rest.at = getelementptr $Team, ptr %team, i32 0, $Team.rest_ns
  %wanted.at = getelementptr $Team, ptr %team, i32 0, $Team.wanted
  %rest = load atomic i64, ptr %rest.at monotonic, align 8
  %wanted = load atomic i64, ptr %wanted.at monotonic, align 8
  %one = icmp eq i64 %wanted, 0
  br i1 %one, label %end, label %ask
ask:
  %time = call i64 @now()
  %resting = icmp slt i64 %time, %rest
  br i1 %resting, label %end, label %wake
wake:
  call void @wake(ptr %team)
  br label %end
end:
  ret void
}

; Makes a team of no helpers in fresh memory, or in a forked process, where the helpers were left behind.
define void @kadam_team_make(ptr %team) nounwind {
  call void @llvm.memset.p0.i64(ptr %team, i8 0, i64 $team_bytes, i1 false)
  %mutex = getelementptr $Team, ptr %team, i32 0, $Team.mutex
  %condition = getelementptr $Team, ptr %team, i32 0, $Team.condition
  %made1 = call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  %made2 = call i32 @pthread_cond_init(ptr %condition, ptr null)
  ret void
}

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

; Ends the helpers and keeps the lock, so that none start until `resume`; programs run on, alone.
define void @kadam_team_stop(ptr %team) nounwind {
entry:
  %lock.at = getelementptr $Team, ptr %team, i32 0, $Team.lock
  %stop.at = getelementptr $Team, ptr %team, i32 0, $Team.stop
  %running.at = getelementptr $Team, ptr %team, i32 0, $Team.running
  br label %try
try:
  %swap = cmpxchg ptr %lock.at, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %swap, 1
  br i1 %mine, label %tell, label %yield
yield:
  %yielded = call i32 @sched_yield()
  br label %try
tell:
  store atomic i64 1, ptr %stop.at seq_cst, align 8
  call void @wake(ptr %team)
  %running = load i64, ptr %running.at
  br label %next
next:
  %count = phi i64 [ 0, %tell ], [ %more, %join ]
  %all = icmp eq i64 %count, %running
  br i1 %all, label %end, label %join
join:
  %thread.at = getelementptr $Team, ptr %team, i32 0, $Team.threads, i64 %count
  %thread = load i64, ptr %thread.at
  %joined = call i32 @pthread_join(i64 %thread, ptr null)
  %more = add i64 %count, 1
  br label %next
end:
  store i64 0, ptr %running.at
  store atomic i64 0, ptr %stop.at seq_cst, align 8
  ret void
}

; Lets the next launch start `helpers` helpers.
define void @kadam_team_resume(ptr %team, i64 %helpers) nounwind {
  %lock.at = getelementptr $Team, ptr %team, i32 0, $Team.lock
  %wanted.at = getelementptr $Team, ptr %team, i32 0, $Team.wanted
  store atomic i64 %helpers, ptr %wanted.at monotonic, align 8
  store atomic i64 0, ptr %lock.at release, align 8
  ret void
}
