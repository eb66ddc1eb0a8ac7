use std::{io, net::SocketAddr, sync::Arc};

use actix_web::rt::{self, System};
use anyhow::{Context, Result};
use portcullis_flows::Engine;
use portcullis_http::HttpOptions;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::{
    background::Background,
    cli::Serve,
    logs,
    mail::Post,
    output,
    settings::{Loaded, MailTransport, Problems, StartMode},
    stop::Stop,
    wiring::{self, Pending},
};

/// Open files at most, where the hard limit allows as many.
const MOST_FILES: u64 = 65_536;

pub(super) fn run(arguments: &Serve) -> Result<()> {
    let loaded = Loaded::read(&arguments.settings.place())?;
    loaded.check_start(StartMode { insecure_http: arguments.insecure_http })?;
    logs::start(&loaded.settings)?;
    let master_key = wiring::find_master_key(&loaded)?;
    let target = loaded.database().map_err(Problems::one)?;
    let kind = wiring::database_kind(&target);
    let pending = if arguments.no_migrate { Pending::Refuse } else { Pending::Apply };
    let database = wiring::open_database(&loaded, target, pending)?;
    let engine = Arc::new(wiring::engine_with_keys(&loaded, database, master_key)?);
    let post = Post::new(&loaded, || Ok(Arc::clone(&engine)))?;
    let mut background = Background::default();
    let fatal = open_keys(&engine, &mut background)?;
    background.read_keys(Arc::clone(&engine))?;
    background.note_uses(Arc::clone(&engine))?;
    background.clean(Arc::clone(&engine))?;
    let options = loaded.settings.http();
    let (patience, stop) = (options.shutdown_timeout, background.stop());
    System::new().block_on(async {
        let workers = loaded.settings.mail.workers;
        let begin = |address| {
            announce(&loaded, address, kind)?;
            // Not before: what does not come to serve shall not have a mail in hand.
            post.map_or(Ok(()), |post| background.deliver(&engine, post, workers))
        };
        let served = listen(Arc::clone(&engine), options, fatal, stop, begin).await;
        let noted = background.note_last_uses(engine);
        background.end(patience).await;
        served.and(noted)
    })?;
    tracing::info!("stopped");
    Ok(())
}

/// Stored keys are opened before anything is served. Where there are none, the first is made while
/// the server listens: that takes longer than everything else together.
fn open_keys(
    engine: &Arc<Engine>,
    background: &mut Background,
) -> Result<Option<oneshot::Receiver<anyhow::Error>>> {
    if engine.list_keys()?.is_empty() {
        return Ok(Some(background.make_first_key(Arc::clone(engine))?));
    }
    engine.open_keys().map_err(wiring::explain_keys)?;
    Ok(None)
}

async fn listen(
    engine: Arc<Engine>,
    options: HttpOptions,
    fatal: Option<oneshot::Receiver<anyhow::Error>>,
    stop: Arc<Stop>,
    begin: impl FnOnce(SocketAddr) -> Result<()>,
) -> Result<()> {
    // A connection is a file. The soft limit is often 1024, which one client could use up.
    if let Err(error) = rlimit::increase_nofile_limit(MOST_FILES) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let bind = options.bind;
    let bound = portcullis_http::bind(engine, wiring::entropy(), options).with_context(|| {
        format!("cannot listen on {bind}; http.bind (PORTCULLIS__HTTP__BIND) sets another address")
    })?;
    hear_signals(stop).context("signals cannot be heard")?;
    begin(bound.address())?;
    let failed = async {
        match fatal {
            Some(fatal) => fatal.await.ok(),
            None => None,
        }
    };
    tokio::select! {
        served = bound.run() => served.context("the server failed"),
        Some(error) = failed => Err(error),
    }
}

fn announce(loaded: &Loaded, address: SocketAddr, database: &str) -> Result<()> {
    let mode = if loaded.dev { "development" } else { "production" };
    let version = env!("CARGO_PKG_VERSION");
    let public_url = loaded.settings.public_url.as_ref().map(ToString::to_string);
    let public_url = public_url.unwrap_or_default();
    tracing::info!(version, %address, public_url, database, mode, "listening");
    if !loaded.settings.rate_limits.enabled {
        tracing::warn!("rate limits are off (rate_limits.enabled), which is for load tests");
    }
    if !loaded.dev && public_url.starts_with("http:") {
        tracing::warn!("public_url is http: passwords and tokens may travel in the clear");
    }
    let mail = loaded.settings.mail.transport;
    if mail == MailTransport::None {
        tracing::warn!("mail.transport is none: mails are kept until they expire, and not sent");
    }
    if !loaded.dev {
        return Ok(());
    }
    let inbox = match mail {
        MailTransport::Inbox => format!("  Mail it sends:         {public_url}/dev/inbox\n"),
        _ => String::new(),
    };
    output::print(&format!(
        "\n  Portcullis runs in development mode at {public_url}\n\n  \
         Your account in it:    {public_url}/account\n{inbox}\n  Or try:\n\n    \
         curl {public_url}/v1/auth/register -H 'Content-Type: application/json' \\\n      \
         -d '{{\"email\":\"you@example.com\",\"password\":\"correct horse battery\"}}'\n\n  \
         Ctrl-C stops it.\n"
    ))
}

/// The work beside the requests ends with them: from the first signal on no mail is begun. The
/// server itself listens to the same signals, and did so first.
fn hear_signals(stop: Arc<Stop>) -> io::Result<()> {
    let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    rt::spawn(async move {
        let [terminate, interrupt] = &mut signals;
        while next(terminate, interrupt).await {
            stop.signal();
        }
    });
    Ok(())
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> bool {
    tokio::select! {
        heard = terminate.recv() => heard.is_some(),
        heard = interrupt.recv() => heard.is_some(),
    }
}
