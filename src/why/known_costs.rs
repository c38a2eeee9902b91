//! Programs whose cost is known, each in a process of its own: nine tenths of what the kernel does for them must fall into
//! their layer.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::record::WhyLevel;
use crate::why::layers::{Layer, of_all};
use crate::why::{Profiler, level};

/// Two threads that wake each other by a futex.
const PING_PONG: &str = r#"
import ctypes, threading
libc, word = ctypes.CDLL(None), (ctypes.c_int * 2)()
def play(own):
    other = 1 - own
    while True:
        libc.syscall(202, ctypes.byref(word, 4 * own), 0, 0, ctypes.byref((ctypes.c_long * 2)(0, 50000)), 0, 0)
        libc.syscall(202, ctypes.byref(word, 4 * other), 1, 1, None, 0, 0)
threading.Thread(target=play, args=(0,)).start()
print("ready", flush=True)
play(1)
"#;
/// A byte that goes to and fro between two processes.
const ECHO: &str = r#"
import os, socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
if os.fork() == 0:
    client.close()
    while data := peer.recv(64): peer.sendall(data)
    os._exit(0)
peer.close()
print("ready", flush=True)
while True:
    client.sendall(b"x"); client.recv(64)
"#;
/// Fresh memory, a byte of each page written.
const TOUCHER: &str = r#"
import mmap
print("ready", flush=True)
while True:
    fresh = mmap.mmap(-1, 64 << 20)
    for at in range(0, len(fresh), 4096): fresh[at] = 1
    fresh.close()
"#;

#[test]
#[ignore = "needs seconds of an idle core: cargo test known_cost -- --ignored"]
fn nine_tenths_of_a_known_cost_are_in_its_layer() {
    if level().0 != WhyLevel::Full {
        eprintln!("SKIPPED: the kernel's stacks are not to be had here: {:?}", level());
        return;
    }
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no python3");
        return;
    }
    for (program, layer) in
        [(PING_PONG, Layer::Scheduling), (ECHO, Layer::Network), (TOUCHER, Layer::Memory)]
    {
        let (own, all, told) = share(program, layer);
        assert!(all >= 20, "{all} samples in the kernel for {}", layer.name());
        assert!(own * 10 >= all * 9, "{own} of {all} are {}: {told:?}", layer.name());
    }
}

/// A program that would run for ever: it ends with the test, also where that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Samples in the kernel that are of `layer`, and all; with the others' stacks.
fn share(program: &str, layer: Layer) -> (usize, usize, Vec<String>) {
    let profiler = Profiler::open(WhyLevel::Full).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", program]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = Running(python.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    profiler.begin();
    // Until there is enough: the machine may be busy with others.
    std::thread::sleep(Duration::from_millis(1_500));
    let sampled = profiler.named(&[]);
    drop(child);
    let layers = of_all(&sampled.samples);
    let kernel = || sampled.samples.iter().zip(&layers).filter(|(one, _)| !one.kernel.is_empty());
    let others = kernel().filter(|(_, of)| **of != layer);
    let told = others.take(5).map(|(one, of)| format!("{of:?} {one:?}")).collect();
    (kernel().filter(|(_, of)| **of == layer).count(), kernel().count(), told)
}
