; A chain: kernels that run part by part, so that what one leaves is still near the core when the next one reads it.

; Runs the parts %begin ... %end - 1 of a chain; each kernel's tasks fall evenly to the parts.
define void @kadam_chain(ptr %chain, i64 %begin, i64 %end) nounwind {
entry:
  %links.at = getelementptr $Chain, ptr %chain, i32 0, $Chain.links
  %links = load ptr, ptr %links.at
  %count.at = getelementptr $Chain, ptr %chain, i32 0, $Chain.count
  %count = load i64, ptr %count.at
  br label %part
part:
  %p = phi i64 [ %begin, %entry ], [ %p.next, %done ]
  %p.next = add i64 %p, 1
  %left = icmp slt i64 %p, %end
  br i1 %left, label %link, label %over
link:
  %i = phi i64 [ 0, %part ], [ %i.next, %one ]
  %i.next = add i64 %i, 1
  %all = icmp eq i64 %i, %count
  br i1 %all, label %done, label %one
one:
  %kernel.at = getelementptr $Link, ptr %links, i64 %i, $Link.kernel
  %kernel = load ptr, ptr %kernel.at
  %args.at = getelementptr $Link, ptr %links, i64 %i, $Link.args
  %args = load ptr, ptr %args.at
  %tasks.at = getelementptr $Link, ptr %links, i64 %i, $Link.tasks
  %tasks = load i64, ptr %tasks.at
  %first = mul i64 %p, %tasks
  %last = add i64 %first, %tasks
  call void %kernel(ptr %args, i64 %first, i64 %last)
  br label %link
done:
  br label %part
over:
  ret void
}
