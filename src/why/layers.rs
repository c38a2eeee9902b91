//! Which layer a stack belongs to, by the names of its functions.
//!
//! In the kernel the entry point decides (system call, fault, softirq) and not the innermost function: without
//! non-maskable interrupts a sample falls where interrupts come back on. What waits for a socket is network, whether it
//! blocks in a read or in epoll.

use std::collections::HashMap;
use std::sync::Arc;

use crate::why::{StackSample, UNKNOWN};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Layer {
    Service,
    Http,
    Runtime,
    Allocator,
    Network,
    Scheduling,
    Memory,
    Unknown,
}

impl Layer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Http => "HTTP",
            Self::Runtime => "runtime",
            Self::Allocator => "allocator",
            Self::Network => "kernel network",
            Self::Scheduling => "kernel scheduling and locks",
            Self::Memory => "kernel memory",
            Self::Unknown => "unknown",
        }
    }
}

/// The layer of each sample.
pub(crate) fn of_all(samples: &[StackSample]) -> Vec<Layer> {
    let found: Vec<Option<Layer>> = samples.iter().map(found).collect();
    // A sample at the very entry of the kernel does not show which call it is: it is what others from the same place are.
    let key = |sample: &'_ StackSample, deep: usize| -> [Option<Arc<str>>; 2] {
        [0, 1].map(|n| sample.user.get(n).filter(|_| n < deep).cloned())
    };
    let mut places: HashMap<[Option<Arc<str>>; 2], HashMap<Layer, usize>> = HashMap::new();
    for (sample, layer) in samples.iter().zip(&found) {
        if let (false, Some(layer)) = (sample.kernel.is_empty(), layer) {
            for deep in [1, 2] {
                *places.entry(key(sample, deep)).or_default().entry(*layer).or_default() += 1;
            }
        }
    }
    let usual = |sample: &StackSample| {
        let known = [2, 1].into_iter().find_map(|deep| places.get(&key(sample, deep)))?;
        known.iter().max_by_key(|(layer, n)| (**n, **layer)).map(|(layer, _)| *layer)
    };
    let all = samples.iter().zip(found);
    all.map(|(sample, layer)| {
        layer
            .or_else(|| usual(sample).filter(|_| !sample.kernel.is_empty()))
            .unwrap_or(Layer::Unknown)
    })
    .collect()
}

fn found(sample: &StackSample) -> Option<Layer> {
    match sample.kernel.is_empty() {
        true => Some(user(&sample.user)),
        false => kernel(&sample.kernel),
    }
}

/// Of time in the kernel, by its functions, the innermost first.
fn kernel(functions: &[Arc<str>]) -> Option<Layer> {
    let mut interrupt = false;
    for (place, name) in functions.iter().enumerate().rev() {
        let inner = &functions[..place];
        if let Some(call) = system_call(name) {
            return of_call(call, inner);
        }
        match &**name {
            "asm_exc_page_fault" | "exc_page_fault" | "do_mem_abort" | "vm_mmap_pgoff" => {
                return Some(Layer::Memory);
            }
            "net_rx_action" | "net_tx_action" | "__napi_poll" | "process_backlog" => {
                return Some(Layer::Network);
            }
            "schedule" | "__schedule" | "schedule_tail" | "ret_from_fork" | "ret_from_fork_asm" => {
                return Some(Layer::Scheduling);
            }
            // A system call leaves this for its end: it closes files, and gives back the pages of shared memory.
            "task_work_run" if inner.iter().any(|name| name.starts_with("shmem_evict")) => {
                return Some(Layer::Memory);
            }
            "task_work_run" => return of_file(inner),
            name if name.starts_with("asm_sysvec_") || name.ends_with("common_interrupt") => {
                interrupt = true;
            }
            _ => {}
        }
    }
    // Timers, and calls from other cores to schedule.
    interrupt.then_some(Layer::Scheduling)
}

/// The entry point of time in the kernel: the system call, or else the outermost function that says something.
pub(crate) fn entry(functions: &[Arc<str>]) -> &str {
    const ENTRIES: &[&str] =
        &["entry_", "do_syscall_64", "x64_sys_call", "el0", "invoke_syscall", "asm_", "sysvec_"];
    let outside_in = || functions.iter().rev().map(|name| &**name);
    outside_in()
        .find_map(system_call)
        .or_else(|| outside_in().find(|name| !ENTRIES.iter().any(|it| name.starts_with(it))))
        .or(outside_in().next())
        .unwrap_or(UNKNOWN)
}

fn system_call(name: &str) -> Option<&str> {
    ["__x64_sys_", "__arm64_sys_", "__ia32_sys_", "ksys_"]
        .iter()
        .find_map(|it| name.strip_prefix(it))
}

/// Of a system call and what it called.
fn of_call(call: &str, inner: &[Arc<str>]) -> Option<Layer> {
    const NETWORK: &[&str] = &[
        "recv",
        "send",
        "accept",
        "socket",
        "connect",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "bind",
        "listen",
        "epoll",
        "poll",
        "ppoll",
        "select",
        "pselect",
        "getsockname",
        "getpeername",
    ];
    const SCHEDULING: &[&str] = &[
        "futex",
        "sched_",
        "nanosleep",
        "clock_nanosleep",
        "clone",
        "fork",
        "vfork",
        "exit",
        "wait",
        "rt_sig",
        "tgkill",
        "timer",
        "eventfd",
        "rseq",
        "set_robust_list",
        "prctl",
    ];
    const MEMORY: &[&str] = &["mmap", "munmap", "mremap", "madvise", "brk", "mprotect", "mlock"];
    let is = |calls: &[&str]| calls.iter().any(|it| call.starts_with(it));
    match () {
        // `sendfile` reads a file and writes to a socket.
        () if is(NETWORK) => Some(Layer::Network),
        () if is(SCHEDULING) => Some(Layer::Scheduling),
        () if is(MEMORY) => Some(Layer::Memory),
        () if ["read", "write", "pread", "pwrite", "close", "splice", "io_uring"]
            .iter()
            .any(|it| call.starts_with(it)) =>
        {
            of_file(inner)
        }
        () => Some(Layer::Unknown),
    }
}

/// Of what is done with a descriptor, by what it is of; nothing where that does not show.
fn of_file(inner: &[Arc<str>]) -> Option<Layer> {
    inner.iter().rev().find_map(|name| {
        let is = |starts: &[&str]| starts.iter().any(|it| name.starts_with(it));
        match () {
            () if is(&["sock_", "__sock_", "tcp_", "inet_", "inet6_", "unix_"]) => {
                Some(Layer::Network)
            }
            () if is(&["eventfd_", "pipe_", "anon_pipe_", "timerfd_", "ep_"]) => {
                Some(Layer::Scheduling)
            }
            () if is(&[
                "ext4_",
                "xfs_",
                "btrfs_",
                "generic_file_",
                "filemap_",
                "shmem_",
                "tty_",
                "proc_",
            ]) =>
            {
                Some(Layer::Unknown)
            }
            () => None,
        }
    })
}

/// Of time in the program: by the innermost function that says something, for a library serves whoever calls it.
fn user(functions: &[Arc<str>]) -> Layer {
    functions.iter().find_map(|name| of_function(name)).unwrap_or(Layer::Unknown)
}

/// Whole names; the others are beginnings.
const ALLOCATING: &[&str] = &["malloc", "free", "cfree", "calloc", "realloc", "posix_memalign"];

const ALLOCATOR: &[&str] = &[
    "_int_",
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "unlink_chunk",
    "tcache_",
    "sysmalloc",
    "systrim",
    "alloc_perturb",
    "__rust_alloc",
    "__rust_dealloc",
    "__rust_realloc",
    "__rdl_",
    "je_",
    "mi_",
    "_mi_",
    "tc_",
    "tcmalloc",
    "operator new",
    "operator delete",
    "runtime.mallocgc",
    "runtime.gc",
    "runtime.scanobject",
    "runtime.sweep",
    "runtime.(*mspan)",
    "runtime.(*mcache)",
    "runtime.(*mheap)",
    "runtime.newobject",
    "runtime.growslice",
    "runtime.greyobject",
    "runtime.findObject",
    "v8::internal::Heap",
    "v8::internal::Scavenge",
    "v8::internal::Mark",
    "v8::internal::Sweep",
];

const HTTP: &[&str] = &[
    "hyper",
    "http::",
    "httparse",
    "http_body",
    "h2::",
    "axum",
    "actix_http",
    "warp::",
    "net/http.",
    "net/textproto.",
    "bufio.",
    "llhttp",
    "node::http",
    "node::(anonymous namespace)::Parser",
    "bakeoff::backend::http",
    "JS:onRequest node:_http",
    "fasthttp",
];

const RUNTIME: &[&str] = &[
    "tokio",
    "mio::",
    "rayon",
    "crossbeam",
    "parking_lot",
    "futures_",
    "async_std",
    "smol",
    "bakeoff::backend::runtime",
    "bakeoff::poll",
    "runtime.",
    "sync.",
    "internal/",
    "syscall.",
    "net.",
    "v8::",
    "Builtins_",
    "uv_",
    "uv__",
    "node::",
    "_PyEval",
    "std::thread",
    "std::sys::sync",
    "std::sync",
];

/// They work for whoever calls them.
const NEUTRAL: &[&str] = &[
    "core::", "alloc::", "std::", "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen",
    "strcmp", "__", "rustix", "libc::", "bytes::", "epoll_", "pthread_", "rust_", "dyn ", "[",
];

const STARTS_AND_CALLS: &[&str] = &[
    "_start",
    "main",
    "clone",
    "clone3",
    "start_thread",
    "thread_start",
    "syscall",
    "read",
    "write",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendto",
    "sendmsg",
    "readv",
    "writev",
];

/// Nothing where a function serves any layer.
fn of_function(name: &str) -> Option<Layer> {
    if name == UNKNOWN {
        return None;
    }
    let name = name.trim_start_matches(['<', '&', '*', '(']).trim_start_matches("mut ");
    let starts = |all: &[&str]| all.iter().any(|it| name.starts_with(it));
    let is = |all: &[&str]| all.contains(&name);
    match () {
        () if is(ALLOCATING) || starts(ALLOCATOR) => Some(Layer::Allocator),
        () if starts(HTTP) || name.contains("node:_http") => Some(Layer::Http),
        () if starts(RUNTIME) => Some(Layer::Runtime),
        () if is(STARTS_AND_CALLS) || starts(NEUTRAL) => None,
        () => Some(Layer::Service),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<Arc<str>> {
        // Written as a flame graph has them, the outermost first.
        list.split(';').rev().filter(|name| !name.is_empty()).map(Into::into).collect()
    }

    fn sample(user: &str, kernel: &str) -> StackSample {
        StackSample { user: names(user), kernel: names(kernel) }
    }

    #[test]
    fn the_entry_point_decides_and_not_the_innermost_function() {
        let entry = "entry_SYSCALL_64_after_hwframe;do_syscall_64";
        for (inner, layer) in [
            ("__x64_sys_recvfrom;tcp_recvmsg;schedule;finish_task_switch", Some(Layer::Network)),
            ("__x64_sys_futex;futex_wait;schedule;finish_task_switch", Some(Layer::Scheduling)),
            ("__x64_sys_epoll_wait;do_epoll_wait;schedule", Some(Layer::Network)),
            (
                "__x64_sys_write;vfs_write;sock_write_iter;tcp_sendmsg;try_to_wake_up",
                Some(Layer::Network),
            ),
            ("__x64_sys_write;vfs_write;eventfd_write", Some(Layer::Scheduling)),
            ("__x64_sys_write;vfs_write;ext4_file_write_iter", Some(Layer::Unknown)),
            ("__x64_sys_write;vfs_write", None),
            ("__x64_sys_madvise;unmap_page_range", Some(Layer::Memory)),
            ("__x64_sys_getpid", Some(Layer::Unknown)),
            ("", None),
        ] {
            assert_eq!(kernel(&names(&format!("{entry};{inner}"))), layer, "{inner}");
        }
        let fault = "asm_exc_page_fault;exc_page_fault;clear_page_erms";
        assert_eq!(kernel(&names(fault)), Some(Layer::Memory));
        let at_the_end = format!("{entry};exit_to_user_mode_loop;task_work_run;__fput;dput");
        let freed = format!("{at_the_end};evict;shmem_evict_inode;shmem_undo_range");
        assert_eq!(kernel(&names(&freed)), Some(Layer::Memory));
        let closed = format!("{at_the_end};sock_close");
        assert_eq!(kernel(&names(&closed)), Some(Layer::Network));
        let softirq = "asm_sysvec_apic_timer_interrupt;handle_softirqs;net_rx_action;tcp_v4_rcv";
        assert_eq!(kernel(&names(softirq)), Some(Layer::Network));
        let tick = "asm_sysvec_apic_timer_interrupt;handle_softirqs;rcu_core";
        assert_eq!(kernel(&names(tick)), Some(Layer::Scheduling));
    }

    #[test]
    fn time_in_the_kernel_is_of_its_entry_point() {
        for (functions, name) in [
            (
                "entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_recvfrom;schedule",
                "recvfrom",
            ),
            ("asm_exc_page_fault;exc_page_fault;clear_page_erms", "exc_page_fault"),
            ("asm_sysvec_apic_timer_interrupt;sysvec_apic_timer_interrupt;irq_exit", "irq_exit"),
            ("entry_SYSCALL_64_after_hwframe;do_syscall_64", "entry_SYSCALL_64_after_hwframe"),
        ] {
            assert_eq!(entry(&names(functions)), name, "{functions}");
        }
    }

    #[test]
    fn a_sample_at_the_kernels_entry_is_what_others_from_its_place_are() {
        let entry = "entry_SYSCALL_64_after_hwframe;do_syscall_64";
        let futex = format!("{entry};__x64_sys_futex;futex_wake");
        let samples = [
            sample("main;std::sys::sync::lock;syscall", &futex),
            sample("main;std::sys::sync::lock;syscall", entry),
            sample("main;other;syscall", entry),
            sample("main;elsewhere;write", entry),
        ];
        let layers = of_all(&samples);
        assert_eq!(layers[..3], [Layer::Scheduling; 3], "by both names, else by the innermost");
        assert_eq!(layers[3], Layer::Unknown);
    }

    #[test]
    fn a_library_works_for_whoever_calls_it() {
        for (functions, layer) in [
            ("tokio::runtime::park;hyper::proto::h1::parse;core::slice::copy;memcpy", Layer::Http),
            ("_start;main;bakeoff::domain::signature::rounds", Layer::Service),
            ("hyper::proto::h1::encode;malloc", Layer::Allocator),
            ("<tokio::task::Core<T> as core::future::Future>::poll", Layer::Runtime),
            ("sha2::sha256::compress", Layer::Service),
            ("runtime.main;net/http.(*conn).serve;main.payment", Layer::Service),
            ("net/http.(*conn).serve;runtime.mallocgc", Layer::Allocator),
            ("[unknown];memcpy", Layer::Unknown),
            ("", Layer::Unknown),
        ] {
            assert_eq!(user(&names(functions)), layer, "{functions}");
        }
    }
}
