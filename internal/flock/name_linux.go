package flock

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Name locks a name on this host, within the network namespace, so that two programs without a
// common file exclude each other. It leaves nothing behind. A name that another user holds is
// ignored, so that nobody can block us. The lock is nil in that case, and if the kernel refuses.
func Name(name string) (*NameLock, error) {
	// an abstract socket, which ends with its process
	addr := &net.UnixAddr{Name: "@" + name, Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if err == nil {
		return &NameLock{l}, nil
	}
	c, err := net.DialUnix("unix", nil, addr)
	if err != nil {
		return nil, nil
	}
	defer c.Close()
	owner, err := peer(c)
	if err != nil || owner.Uid != 0 && int(owner.Uid) != os.Getuid() {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: process %d", ErrLocked, owner.Pid)
}

func peer(c *net.UnixConn) (owner *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	if ctl := raw.Control(func(fd uintptr) {
		owner, err = unix.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, unix.SO_PEERCRED)
	}); ctl != nil {
		return nil, ctl
	}
	return owner, err
}
