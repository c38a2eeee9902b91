//! The contender `uring`: the axum router of the contender `axum` on compio, which waits by io_uring. Each thread has a
//! ring, a runtime and the connections that it accepts; the state is shared.

mod upstream;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_contender::config::Config;
use axum_contender::serve::{STOP_MAX, announce, connection, process};
use axum_contender::store::{Store, memory::Memory};
use axum_contender::{App, Dataset, router, version};
use compio::driver::ProactorBuilder;
use compio::runtime::{Runtime, RuntimeBuilder};
use compio::time::{sleep, timeout};
use cyper_core::{CompioTimer, HyperStream};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use socket2::{Domain, Socket, Type};

const BACKLOG: i32 = 4_096;
/// Submissions that a ring holds.
const RING_ENTRIES: u32 = 1_024;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

fn main() -> ExitCode {
    process(run)
}

fn run(config: Config) -> Result<(), String> {
    if config.database_url.is_some() {
        return Err("BAKEOFF_DATABASE_URL is refused: compio has no PostgreSQL client, so this server keeps its state \
                    in memory"
            .into());
    }
    let data = Dataset::new(config.seed);
    // The first ring is made before the server says that it listens.
    let first = ring()?;
    let app = App {
        name: "uring",
        runtime: format!("compio {} on io_uring, with axum {}", version("compio"), version("axum")),
        data,
        seed: config.seed,
        signature_rounds: config.signature_rounds,
        store: Store::Memory(Memory::new(data)),
        fan_out: config.pool,
        upstream: config
            .upstream_url
            .map(|url| upstream::to(&url, config.pool.div_ceil(config.workers)))
            .transpose()?,
        timer: Arc::new(CompioTimer),
    };
    let router = router(app);
    let listener = listen(config.address)
        .map_err(|error| format!("cannot listen at {}: {error}", config.address))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;

    std::thread::scope(|scope| {
        let others = (1..config.workers).map(|_| {
            let (router, listener) = (router.clone(), listener.try_clone());
            scope.spawn(move || {
                let listener = listener.map_err(|error| error.to_string())?;
                ring()?.block_on(serve(listener, router, || {}))
            })
        });
        let others = others.collect::<Vec<_>>();
        let served = first.block_on(serve(listener, router, || announce(address)));
        let others = others.into_iter().map(|thread| thread.join().expect("a thread ends"));
        others.fold(served, Result::and)
    })
}

/// A runtime of this thread on a ring of its own.
fn ring() -> Result<Runtime, String> {
    let mut driver = ProactorBuilder::new();
    driver.capacity(RING_ENTRIES);
    RuntimeBuilder::new().with_proactor(driver).build().map_err(|error| {
        format!(
            "io_uring is not to be had here: {error}. The kernel has it from 5.6 on; containers and the sysctl \
             kernel.io_uring_disabled often forbid it"
        )
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves what this thread accepts until the process is told to stop.
async fn serve(listener: TcpListener, router: Router, ready: impl FnOnce()) -> Result<(), String> {
    let listener = compio::net::TcpListener::from_std(listener).map_err(|e| e.to_string())?;
    let stop = async {
        let (terminate, interrupt) = (signal(SIGTERM), signal(SIGINT));
        futures_util::pin_mut!(terminate, interrupt);
        select(terminate, interrupt).await;
    };
    let stop = stop.boxed_local().shared();
    // It listens for the signals from its first poll on.
    let _ = stop.clone().now_or_never();
    ready();
    let live = Rc::new(());
    loop {
        let accepted = Box::pin(listener.accept());
        let stream = match select(accepted, stop.clone()).await {
            Either::Left((Ok((stream, _)), _)) => stream,
            Either::Left((Err(_), _)) => {
                // Out of descriptors: some connection has to end first.
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            Either::Right(_) => break,
        };
        let _ = stream.set_nodelay(true);
        let (router, stop, live) = (router.clone(), stop.clone(), Rc::clone(&live));
        let served = async move {
            connection(HyperStream::new_plain(stream), router, CompioTimer, stop).await;
            drop(live);
        };
        compio::runtime::spawn(served).detach();
    }
    drop(listener);
    let ended = async {
        while Rc::strong_count(&live) > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = timeout(STOP_MAX, ended).await;
    Ok(())
}

async fn signal(number: i32) {
    if let Err(error) = compio::signal::unix::signal(number).await {
        eprintln!("cannot listen for signal {number}: {error}");
        std::future::pending().await
    }
}
