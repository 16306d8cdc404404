//! Wakes a worker out of whatever it waits for: its handler's end, or word that it is to give up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{ioctl_fionbio, read, write};
use rustix::pipe::{PipeFlags, pipe_with};

/// The end of a worker.
pub(super) struct Wake {
    pipe: OwnedFd,
    bell: Bell,
}

/// The other end, for whoever wakes it.
#[derive(Clone)]
pub(super) struct Bell(Arc<Shared>);

struct Shared {
    pipe: OwnedFd,
    /// What runs is to end now.
    cancelled: AtomicBool,
}

impl Bell {
    /// Wakes the worker, which looks around.
    pub(super) fn ring(&self) {
        // A full pipe wakes as well.
        let _ = write(&self.0.pipe, &[0]);
    }

    /// Asks the worker to end what it runs now.
    pub(super) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.ring();
    }
}

impl Wake {
    /// Makes a worker's end.
    pub(super) fn new() -> io::Result<Self> {
        let (here, there) = pipe_with(PipeFlags::CLOEXEC)?;
        ioctl_fionbio(&here, true)?;
        ioctl_fionbio(&there, true)?;
        Ok(Self {
            pipe: here,
            bell: Bell(Arc::new(Shared {
                pipe: there,
                cancelled: AtomicBool::new(false),
            })),
        })
    }

    /// The other end.
    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Whether what runs is to end now.
    pub(super) fn is_cancelled(&self) -> bool {
        self.bell.0.cancelled.load(Ordering::SeqCst)
    }

    /// Takes it that what ran has ended.
    pub(super) fn forget_cancel(&self) {
        self.bell.0.cancelled.store(false, Ordering::SeqCst);
    }

    /// Readable when somebody rang.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Makes it silent again.
    pub(super) fn hush(&self) {
        let mut rung = [0; 64];
        while read(&self.pipe, &mut rung).is_ok_and(|count| count > 0) {}
    }

    /// Waits for `time`, or until somebody rings.
    pub(super) fn sleep(&self, time: Duration) {
        let mut descriptors = [PollFd::new(&self.pipe, PollFlags::IN)];
        let _ = poll(&mut descriptors, Some(&timespec(time)));
        self.hush();
    }
}

/// The time in the form that `poll` takes.
pub(super) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
