//! The contender `axum`: the services of CONTRACT.md on axum, tokio, tokio-postgres and deadpool.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum_contender::config::Config;
use axum_contender::serve::{STOP_MAX, announce, connection, process};
use axum_contender::store::{Store, memory::Memory, postgres::Postgres};
use axum_contender::{App, Dataset, Upstream, router, version};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// For a whole answer of the upstream.
const UPSTREAM_MAX: Duration = Duration::from_secs(10);
const UPSTREAM_BYTES_MAX: usize = 64 << 10;
const BACKLOG: u32 = 4_096;

fn main() -> ExitCode {
    process(run)
}

fn run(config: Config) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start {} threads: {error}", config.workers))?;
    let served = runtime.block_on(serve(config));
    runtime.shutdown_background();
    served
}

async fn serve(config: Config) -> Result<(), String> {
    let data = Dataset::new(config.seed);
    let store = match &config.database_url {
        None => Store::Memory(Memory::new(data)),
        Some(url) => Store::Postgres(Postgres::open(url, config.pool).await.map_err(|error| {
            format!("cannot use the database of BAKEOFF_DATABASE_URL: {error}")
        })?),
    };
    let upstream = config.upstream_url.map(|url| {
        let url = url.trim_end_matches('/').to_owned();
        (url, upstream(config.pool))
    });
    let router = router(App {
        name: "axum",
        runtime: format!("axum {} on tokio {}", version("axum"), version("tokio")),
        data,
        seed: config.seed,
        signature_rounds: config.signature_rounds,
        store,
        fan_out: config.pool,
        upstream,
        timer: Arc::new(TokioTimer::new()),
    });

    let listener = listen(config.address)
        .map_err(|error| format!("cannot listen at {}: {error}", config.address))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let stop = stop_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
    announce(address);
    // Each connection has a receiver: there are no more of them once all have ended.
    let (stopping, until) = watch::channel(false);
    tokio::select! {
        () = accept(&listener, &router, until) => {}
        () = stop => {}
    }
    drop(listener);
    stopping.send_replace(true);
    let _ = timeout(STOP_MAX, stopping.closed()).await;
    Ok(())
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: &TcpListener, router: &Router, until: watch::Receiver<bool>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: some connection has to end first.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (router, mut until) = (router.clone(), until.clone());
        tokio::spawn(async move {
            let stop = async { _ = until.wait_for(|stopping| *stopping).await };
            connection(TokioIo::new(stream), router, TokioTimer::new(), stop).await;
        });
    }
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Calls the upstream over at most so many connections.
fn upstream(connections: usize) -> Box<Upstream> {
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(connections)
        .build_http::<Empty<Bytes>>();
    let free = Arc::new(tokio::sync::Semaphore::new(connections));
    Box::new(move |url| {
        let (client, free) = (client.clone(), Arc::clone(&free));
        Box::pin(async move {
            let get = async {
                let _free = free.acquire().await;
                let url = url.parse().map_err(|error| format!("{url}: {error}"))?;
                let answer = client.get(url).await.map_err(|error| error.to_string())?;
                let status = answer.status();
                let body = Limited::new(answer.into_body(), UPSTREAM_BYTES_MAX).collect().await;
                let body = body.map_err(|error| error.to_string())?;
                Ok((status, body.to_bytes().to_vec()))
            };
            timeout(UPSTREAM_MAX, get)
                .await
                .unwrap_or_else(|_| Err("the upstream does not answer".into()))
        })
    })
}
