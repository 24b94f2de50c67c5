# What a container may do under RuntimeDefault: all that its capabilities and seccomp filter leave it, but no mounts, no
# hand on the kernel's own files in /proc and /sys, and nobody to signal or trace but its like.
profile berth-default flags=(attach_disconnected,mediate_deleted) {
  capability,
  network,
  file,
  umount,
  deny mount,

  # Whoever manages the node, and the OCI runtime, end a container by signals.
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send, receive) peer=berth-default,
  ptrace (read, readby, trace, tracedby) peer=berth-default,

  # Reading these gives away the machine's memory or state, or acts.
  deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,

  # Knobs of the whole machine. Those of a namespace stay open: net, kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.
  deny /proc/{acpi,asound,bus,driver,fs,irq,scsi,tty}/** w,
  deny /proc/sys/{abi,debug,dev,sunrpc,user,vm}/** w,
  deny /proc/sys/fs/[^m]** w,
  deny /proc/sys/kernel/{[^ms]**,m[^s]**,s[^eh]**} w,

  # Devices, drivers and filesystems of the machine; a container's own cgroup is no business of this profile.
  deny /sys/{block,bus,class,dev,devices,hypervisor,kernel,module,power}/** wklx,
  deny /sys/fs/[^c]** wklx,
}
