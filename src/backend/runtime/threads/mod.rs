//! OS threads that block: one for each connection, or a fixed pool.

pub(crate) mod helpers;
mod pool;
pub(crate) mod remote;
mod socket;

use crate::backend::Settings;
use crate::backend::http::socket::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Limits};
use crate::backend::http::watch::{Connections, Phase, Settling, Watch};
use crate::backend::http::{
    Answer, Arriving, Operation, Plain, Route, check, farewell, health, null,
};
use crate::backend::model::{CONNECTION_THREADS, Model, POOL_THREADS, Pitfall};
use crate::backend::runtime::threads::pool::{Driven, Pool, ServedConnection, drive, rest};
use crate::backend::runtime::threads::socket::{KernelTimeout, Socket, Waiting};
use crate::backend::services::threads::App;
use crate::backend::services::{gateway, loyalty, payment, webhook};
use crate::error;
use crate::error::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::Waker;
use std::thread;
use std::time::Duration;

/// The stack of a thread that handles requests: ten times what they need.
const STACK_BYTES: usize = 256 * 1024;

/// Refused connections that wait to be closed.
const REFUSED_MAX: usize = 1_024;

/// How long a refused peer may be silent before its connection is closed. All of them are closed by one thread in turn, which
/// cannot wait for each as long as [`crate::backend::http::socket::DRAIN_MAX`].
const LINGER: Duration = Duration::from_millis(100);

/// Serves until the process is told to stop.
pub(crate) fn serve(
    settings: &Settings,
    listener: TcpListener,
    ready: impl FnOnce(),
) -> error::Result<()> {
    let app = Arc::new(App::new(settings)?);
    let connections = Arc::new(Connections::default());
    let stop = stop_signal()?;
    let listener = Arc::new(listener);
    start(settings, &listener, app, &connections)?;
    ready();
    stop();
    connections.stop();
    // Wakes the accepting threads and refuses new connections.
    let _ = rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both);
    settle(&connections);
    Ok(())
}

/// Differs: the two models are one thread that accepts, and as many as connections come; or a pool of threads alone.
fn start(
    settings: &Settings,
    listener: &Arc<TcpListener>,
    app: Arc<App>,
    connections: &Arc<Connections>,
) -> error::Result<()> {
    let limits = settings.limits;
    let (listener, connections) = (Arc::clone(listener), Arc::clone(connections));
    if settings.model == Model::ThreadPool {
        let open =
            move |stream, watch| connect(stream, Arc::clone(&app), watch, limits, Waiting::Pool);
        let pool = Pool::new(listener, connections, limits, open);
        let pool = Arc::new(pool.context(|| "cannot make an epoll set".into())?);
        for worker in 0..settings.threads.unwrap_or(POOL_THREADS) {
            let pool = Arc::clone(&pool);
            spawn(format!("worker-{worker}"), move || pool.work())
                .context(|| format!("cannot start worker {worker}"))?;
        }
    } else {
        let max = settings.threads.unwrap_or(CONNECTION_THREADS);
        spawn("accept".into(), move || accept(&listener, &app, &connections, limits, max))
            .context(|| "cannot start a thread".into())?;
    }
    Ok(())
}

/// Differs: a thread has a name and a stack, and can be refused.
fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(work).map(drop)
}

/// Ends when the process is told to stop.
fn stop_signal() -> error::Result<impl FnOnce()> {
    let listen = Signals::new([SIGTERM, SIGINT]);
    let mut signals = listen.context(|| "cannot listen for signals".into())?;
    Ok(move || {
        signals.forever().next();
    })
}

/// Starts a thread for every connection, up to `max` at once.
fn accept(
    listener: &TcpListener,
    app: &Arc<App>,
    connections: &Arc<Connections>,
    limits: Limits,
    max: usize,
) {
    let refused = lingering();
    while !connections.stopping() {
        let Ok((stream, _)) = listener.accept() else {
            rest();
            continue;
        };
        let stream = Arc::new(stream);
        if connections.count() >= max {
            refuse(stream, &refused);
            continue;
        }
        let watch = connections.open();
        let waiting = Waiting::Here(KernelTimeout::default());
        let connection =
            connect(Arc::clone(&stream), Arc::clone(app), Arc::clone(&watch), limits, waiting);
        if spawn("connection".into(), move || block_on(connection, watch)).is_err() {
            refuse(stream, &refused);
        }
    }
}

/// Differs: threads run out where tasks do not. The peer is told, and may try again.
fn refuse(stream: Arc<TcpStream>, refused: &SyncSender<Arc<TcpStream>>) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
        content-type: application/json\r\ncontent-length: 33\r\n\r\n{\"error\":\"no thread is to spare\"}";
    if (&*stream).write_all(ANSWER).and_then(|()| stream.shutdown(Shutdown::Write)).is_ok() {
        // With more of them than are kept, the peer may see a reset.
        let _ = refused.try_send(stream);
    }
}

/// Takes connections that were refused, and closes each once its peer has: a connection that is closed before its
/// request is read turns the answer into a reset.
fn lingering() -> SyncSender<Arc<TcpStream>> {
    let (refused, closing) = sync_channel::<Arc<TcpStream>>(REFUSED_MAX);
    let close = move || {
        for stream in closing {
            let _ = stream.set_read_timeout(Some(LINGER));
            let _ =
                std::io::copy(&mut (&*stream).take(BODY_BYTES_MAX as u64), &mut std::io::sink());
        }
    };
    // Without this thread a refused connection is closed at once.
    let _ = spawn("refused".into(), close);
    refused
}

/// Differs: a thread polls its connection itself, and sleeps in the read that the connection asks for.
fn block_on(mut connection: ServedConnection, watch: Arc<Watch>) {
    let waker = Waker::from(Arc::clone(&watch));
    while drive(&mut connection, &watch, &waker) == Driven::WantsRead {
        watch.let_read();
    }
}

fn connect(
    stream: Arc<TcpStream>,
    app: Arc<App>,
    watch: Arc<Watch>,
    limits: Limits,
    waiting: Waiting,
) -> ServedConnection {
    Box::pin(async move {
        let Ok(socket) = Socket::new(stream, Arc::clone(&watch), limits, waiting) else {
            return;
        };
        let service = service_fn(|request| respond(&app, &watch, request));
        let mut connection = http1::Builder::new()
            .half_close(true)
            .max_header_size(HEAD_BYTES_MAX)
            .serve_connection(socket, service);
        let ended = (&mut connection).await;
        if let Some(mut farewell) = farewell(&ended, &watch) {
            let mut socket = connection.into_parts().io;
            poll_fn(|cx| farewell.poll(&mut socket, cx)).await;
        }
    })
}

/// One request: its body is collected, then it is handled.
async fn respond(
    app: &Arc<App>,
    watch: &Watch,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, incoming) = request.into_parts();
    let body = match check(&head) {
        Ok(()) => collect(incoming, watch).await,
        Err(answer) => Err(answer),
    };
    watch.enter(Phase::Busy);
    let answer = match body {
        Ok(body) => match Route::find(app.common.workload, &head.method, head.uri.path()) {
            Ok(route) => handle(app, route, body),
            Err(answer) => answer,
        },
        Err(answer) => {
            watch.refuse();
            answer
        }
    };
    Ok(answer.into_response(watch.refused() || watch.stopping()))
}

/// The whole body, or the answer to one that is too large or does not arrive.
async fn collect(mut incoming: Incoming, watch: &Watch) -> Result<Bytes, Answer> {
    let mut arriving = Arriving::begin(&incoming)?;
    if !incoming.is_end_stream() {
        watch.enter(Phase::Body);
        while let Some(frame) = incoming.frame().await {
            arriving.push(frame)?;
        }
    }
    Ok(arriving.finish())
}

fn handle(app: &Arc<App>, route: Route, body: Bytes) -> Answer {
    let operation = match route {
        Route::Plain(Plain::Null) => return null(),
        Route::Plain(Plain::Health) => return health(&app.common.name),
        Route::Plain(Plain::Stats) => return app.stats(),
        Route::Operation(operation) => operation,
    };
    let _held = app.global_lock();
    if app.common.has(Pitfall::SpawnPerRequest) {
        return elsewhere(Arc::clone(app), operation, body);
    }
    if app.common.has(Pitfall::BlockingOnRayon) {
        return app.helpers.block(|| operate(app, operation, &body));
    }
    operate(app, operation, &body)
}

fn operate(app: &App, operation: Operation, body: &[u8]) -> Answer {
    let result = match operation {
        Operation::Payment => payment::threads::authorise(app, body),
        Operation::Distribution => loyalty::threads::distribute(app, body),
        Operation::Account(id) => loyalty::threads::account(app, id),
        Operation::Webhook => webhook::threads::receive(app, body),
        Operation::Gateway(id) => gateway::threads::gateway(app, id),
        Operation::Audit => app.audit(),
    };
    result.unwrap_or_else(|answer| answer)
}

/// The pitfall `spawn-per-request`: a thread for this request alone.
fn elsewhere(app: Arc<App>, operation: Operation, body: Bytes) -> Answer {
    let thread = thread::spawn(move || operate(&app, operation, &body));
    thread.join().expect("a request does not panic")
}

fn settle(connections: &Connections) {
    let mut settling = Settling::begin();
    while !settling.over(connections) {
        thread::sleep(Settling::STEP);
    }
}
