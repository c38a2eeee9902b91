//! Tokio: one thread for all connections, or several that steal tasks from each other.

#[cfg(feature = "cross-check")]
pub(crate) mod cross_check;
pub(crate) mod helpers;
pub(crate) mod remote;
mod socket;

use crate::backend::Settings;
use crate::backend::http::socket::{ACCEPT_PAUSE, HEAD_BYTES_MAX, Limits};
use crate::backend::http::watch::{Connections, Phase, Settling, Watch};
use crate::backend::http::{
    Answer, Arriving, Operation, Plain, Route, check, farewell, health, null,
};
use crate::backend::model::{Model, Pitfall};
use crate::backend::runtime::event_loop::helpers::Place;
use crate::backend::runtime::event_loop::socket::Socket;
use crate::backend::services::event_loop::App;
use crate::backend::services::{gateway, loyalty, payment, webhook};
use crate::error;
use crate::error::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// Serves until the process is told to stop.
pub(crate) fn serve(
    settings: &Settings,
    listener: TcpListener,
    ready: impl FnOnce(),
) -> error::Result<()> {
    let (runtime, place) = start(settings)?;
    let app = Arc::new(App::new(settings, place)?);
    let connections = Arc::new(Connections::default());
    let result = runtime.block_on(async {
        let accepting = accept(listener, app, &connections, settings.limits);
        let stop = stop_signal()?;
        ready();
        tokio::select! {
            result = accepting => result?,
            () = stop => connections.stop(),
        }
        settle(&connections).await;
        Ok(())
    });
    // Dropping it would wait for CPU helpers, however long they have to go on.
    runtime.shutdown_background();
    result
}

/// Differs: the two models are two runtimes. Neither has more threads than workers and CPU helpers.
fn start(settings: &Settings) -> error::Result<(Runtime, Place)> {
    let (mut builder, place) = match settings.model {
        Model::WorkStealing => (Builder::new_multi_thread(), Place::Tasks),
        _ => (Builder::new_current_thread(), Place::BlockingThreads),
    };
    let workers = settings.threads.unwrap_or(settings.cores).max(1);
    let runtime = builder
        .worker_threads(workers)
        .max_blocking_threads(settings.cores.max(1))
        .enable_all()
        .build()
        .context(|| format!("cannot start {workers} workers"))?;
    Ok((runtime, place))
}

/// Ends when the process is told to stop.
fn stop_signal() -> error::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context(|| "cannot listen for signals".into());
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Starts a task for every connection.
async fn accept(
    listener: TcpListener,
    app: Arc<App>,
    connections: &Arc<Connections>,
    limits: Limits,
) -> error::Result<()> {
    let context = || "cannot listen without blocking".into();
    listener.set_nonblocking(true).context(context)?;
    let listener = tokio::net::TcpListener::from_std(listener).context(context)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let watch = connections.open();
        tokio::spawn(connect(stream, Arc::clone(&app), watch, limits));
    }
}

async fn connect(stream: TcpStream, app: Arc<App>, watch: Arc<Watch>, limits: Limits) {
    let _ = stream.set_nodelay(true);
    let socket = Socket::new(stream, Arc::clone(&watch), limits);
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
            Ok(route) => handle(app, route, body).await,
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

async fn handle(app: &Arc<App>, route: Route, body: Bytes) -> Answer {
    let operation = match route {
        Route::Plain(Plain::Null) => return null(),
        Route::Plain(Plain::Health) => return health(&app.common.name),
        Route::Plain(Plain::Stats) => return app.stats(),
        Route::Operation(operation) => operation,
    };
    let _held = app.global_lock().await;
    if app.common.has(Pitfall::SpawnPerRequest) {
        return elsewhere(Arc::clone(app), operation, body).await;
    }
    operate(app, operation, &body).await
}

async fn operate(app: &App, operation: Operation, body: &[u8]) -> Answer {
    let result = match operation {
        Operation::Payment => payment::event_loop::authorise(app, body).await,
        Operation::Distribution => loyalty::event_loop::distribute(app, body).await,
        Operation::Account(id) => loyalty::event_loop::account(app, id).await,
        Operation::Webhook => webhook::event_loop::receive(app, body).await,
        Operation::Gateway(id) => gateway::event_loop::gateway(app, id).await,
        Operation::Audit => app.audit().await,
    };
    result.unwrap_or_else(|answer| answer)
}

/// The pitfall `spawn-per-request`: a task for this request alone.
async fn elsewhere(app: Arc<App>, operation: Operation, body: Bytes) -> Answer {
    let task = tokio::spawn(async move { operate(&app, operation, &body).await });
    task.await.expect("a request does not panic")
}

async fn settle(connections: &Connections) {
    let mut settling = Settling::begin();
    while !settling.over(connections) {
        tokio::time::sleep(Settling::STEP).await;
    }
}
