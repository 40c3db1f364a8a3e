//! From a file to a front door that serves, and to its end.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use floodwall_config::{self as config, Config, Problems};
use tokio::runtime::Runtime;

use crate::{
    access_log::AccessLog,
    admin::{self, Answers},
    control::{Callers, ClaimError, Door},
    gate::Journal,
    generation::Generation,
    handover::{self, Estate, Inheritance, Program},
    host::Host,
    lease::Lease,
    log::Log,
    prefilter::{self, Caretaker},
    pressure::Watch,
    protection,
    reload::Reloader,
    server::{self, BindError},
    service::Service,
    state::{Keeper, Report},
    stats::Stats,
    systemd::Manager,
    tokens,
    upstream::{self, Attendant},
};

/// So long a start waits for the names of servers.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);

/// A front door that serves. Its owner ends it with [`Floodwall::stop`].
#[derive(Debug)]
pub struct Floodwall {
    pub service: Arc<Service>,
    running: server::Running,
    operators: Runtime,
    lease: Lease,
    interfaces: Caretaker,
    state: Option<Keeper>,
    estate: Estate,
    /// Says that the control socket's path is a successor's.
    left: Arc<AtomicBool>,
    callers: Callers,
    attendant: Attendant,
    _watch: Watch,
}

/// Why there is no front door.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Everything that is wrong with the file.
    #[error(transparent)]
    Configuration(#[from] Problems),
    #[error(transparent)]
    Control(#[from] ClaimError),
    #[error(transparent)]
    Listener(#[from] BindError),
    #[error("admin.address: cannot listen on {address}: {cause}")]
    Admin {
        address: SocketAddr,
        cause: io::Error,
    },
    #[error("log.access: cannot append to {}: {cause}", .target.display())]
    AccessLog { target: PathBuf, cause: io::Error },
    #[error("prefilter.required: {0}")]
    Prefilter(#[from] prefilter::Error),
    #[error("the system refuses a thread or a descriptor: {0}")]
    System(#[from] io::Error),
}

impl Floodwall {
    /// Starts everything that the file describes, with the sockets of a predecessor if there is one, and returns once
    /// every listener accepts.
    ///
    /// What needs no privilege and leaves no trace comes first, so that a start that fails has not touched
    /// the kernel's filter, which may still be at work for a predecessor.
    ///
    /// # Errors
    /// [`BootError`]; nothing runs then.
    pub fn boot(
        file: &Path,
        manager: Arc<Manager>,
        inheritance: &mut Inheritance,
    ) -> Result<Self, BootError> {
        // In full, so that a reload finds it wherever the process is, and `status` says which one it is.
        let file = &std::path::absolute(file)?;
        let text = Config::text_at(file)?;
        let config = Config::from_text(&text, file)?;
        Generation::check(&config)?;
        let log = Log::start(config.log.level);
        let door = claim(&config.admin.socket, inheritance)?;
        let bound = server::bind(&config, inheritance)?;
        let admin = config.admin.address;
        let admin = admin
            .map(|address| bind_admin(address, inheritance))
            .transpose()?;
        let (estate, left) = estate(&door, &bound, admin.as_ref())?;
        let access_log = open_access_log(&config.log.access)?;
        let operators = operators()?;

        let host = Arc::new(open_host(
            file,
            config,
            access_log,
            inheritance.has_predecessor(),
        )?);
        let watch = Watch::start(Path::new("/"), Arc::clone(&host.pressure))?;
        protection::warn_of_unknown(&host);
        for warning in host.generation().warnings() {
            tracing::warn!("{warning}");
        }
        let lease = Lease::renewing(Arc::clone(&host))?;
        let interfaces = Caretaker::over(Arc::clone(&host))?;
        prefilter::samples::watch(&host)?;
        // With the names looked up, or without: a name server that is out stops nobody from starting.
        upstream::names::look_up_new(&host.generation(), LOOK_UP_WITHIN, || host.now());
        host.generation().take_over();
        // Once it is known who the servers are: some were left out.
        let folder = host.generation().config.state.clone();
        let state = folder
            .map(|folder| Keeper::open(&host, &folder))
            .transpose()?;
        let attendant = Attendant::over(Arc::clone(&host))?;
        let running = server::serve(&host, &bound)?;
        // A predecessor of another version may write it otherwise, and is then not heard.
        let before = inheritance.letter();
        let before = before.and_then(|letter| serde_json::from_slice(&letter).ok());
        let before = before.unwrap_or_default();
        let reloader = Reloader::new(Arc::clone(&host), text, log, manager, before);
        operators.spawn(tokens::keeper::keep(Arc::clone(&host)));
        let service = Arc::new(Service { host, reloader });
        let callers = door.callers();
        attend(&operators, door, admin, &service);
        Ok(Self {
            service,
            running,
            operators,
            lease,
            interfaces,
            state,
            estate,
            left,
            callers,
            attendant,
            _watch: watch,
        })
    }

    /// Whether every thread that serves still does.
    pub fn alive(&self) -> bool {
        self.running.alive()
    }

    /// Has a new process serve beside this one, and tells its number. `meanwhile` is called while it starts.
    ///
    /// # Errors
    /// [`handover::Failure`]; this process serves on as if nothing had been.
    pub fn hand_over(
        &self,
        program: &Program,
        meanwhile: impl FnMut(),
    ) -> Result<u32, handover::Failure> {
        let history = serde_json::to_vec(&self.service.reloader.history()).unwrap_or_default();
        self.estate.hand_over(program, &history, meanwhile)
    }

    /// Leaves everything to a successor that serves, and finishes what is under way as [`Floodwall::stop`] does.
    pub fn retire(self, hurry: impl FnMut() -> bool) {
        self.left.store(true, Relaxed);
        // Whoever calls from here on is the successor's.
        self.callers.close();
        // The successor waits for who is in.
        self.service.host.journal.close();
        drop(self.estate);
        if let Some(state) = self.state {
            state.close();
        }
        self.operators.block_on(self.callers.leave());
        self.operators.shutdown_background();
        drop(self.interfaces);
        self.lease.hand_on();
        finish(&self.service.host, self.running, hurry);
    }

    /// Ends it: accepts nobody any more, lets requests finish for as long as `server.drain` says, or until
    /// `hurry` is true, and leaves the kernel's filter with what remains of its lease.
    pub fn stop(self, hurry: impl FnMut() -> bool) {
        drop(self.estate);
        finish(&self.service.host, self.running, hurry);
        if let Some(state) = self.state {
            state.close();
        }
        drop(self.attendant);
        drop(self.interfaces);
        self.lease.leave();
        self.operators.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Lets requests finish, as far as there is time.
fn finish(host: &Host, running: server::Running, hurry: impl FnMut() -> bool) {
    let drain = host.generation().config.server.drain;
    if !running.drain(drain.into(), hurry) {
        tracing::warn!(
            requests = host.stats.requests.in_flight.get(),
            "stopping in the middle of requests"
        );
    }
    running.stop();
    host.journal.close();
}

fn claim(path: &Path, inheritance: &mut Inheritance) -> Result<Door, ClaimError> {
    match inheritance.unix(handover::CONTROL, path) {
        Some(listener) => Door::inherit(listener, path),
        None => Door::claim(path),
    }
}

/// Everything that a successor is to have.
fn estate(
    door: &Door,
    bound: &server::Bound,
    admin: Option<&TcpListener>,
) -> io::Result<(Estate, Arc<AtomicBool>)> {
    let mut estate = Estate::default();
    let (control, left) = door.bequeath()?;
    estate.add(handover::CONTROL.to_owned(), control);
    if let Some(admin) = admin {
        estate.add(handover::ADMIN.to_owned(), admin.try_clone()?.into());
    }
    bound.bequeath(&mut estate, &left)?;
    Ok((estate, left))
}

/// Opens the tables, the gates' journal and the state's report, and compiles the first generation for them.
///
/// # Errors
/// [`BootError`] when the pre-filter is required and cannot be had, the file is wrong, or there is no thread.
pub fn open_host(
    file: &Path,
    config: Config,
    access_log: AccessLog,
    is_successor: bool,
) -> Result<Host, BootError> {
    let opened = prefilter::open(&config, is_successor)?;
    let stats = Stats::default();
    let secret = opened.table.secret();
    let folder = config.state.clone();
    let report = Arc::new(Report::on(folder.as_deref(), is_successor));
    let journal = Journal::open(folder.as_deref(), &stats.gates, secret, &report)?;
    let first = Generation::compile(1, file.to_owned(), config, secret, &stats)?;
    Ok(Host::new(
        opened.table,
        opened.book,
        opened.kernel,
        stats,
        access_log,
        journal,
        first,
    ))
}

fn bind_admin(
    address: SocketAddr,
    inheritance: &mut Inheritance,
) -> Result<TcpListener, BootError> {
    if let Some(listener) = inheritance.tcp(handover::ADMIN, address) {
        return Ok(listener);
    }
    TcpListener::bind(address).map_err(|cause| BootError::Admin { address, cause })
}

fn open_access_log(target: &config::AccessLog) -> Result<AccessLog, BootError> {
    AccessLog::open(target).map_err(|cause| match target {
        config::AccessLog::File(path) => BootError::AccessLog {
            target: path.clone(),
            cause,
        },
        config::AccessLog::Stdout | config::AccessLog::Stderr | config::AccessLog::Off => {
            BootError::System(cause)
        }
    })
}

/// The operators' own thread: a flood that keeps all others busy leaves it alone.
fn operators() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        // Answers that wait for something, a reload above all.
        .max_blocking_threads(8)
        .thread_name("operator")
        .enable_all()
        .build()
}

fn attend(operators: &Runtime, door: Door, admin: Option<TcpListener>, service: &Arc<Service>) {
    let answering = Arc::clone(service);
    operators.spawn(async move {
        let served = door
            .serve(move |request, uid| answering.answer(request, uid))
            .await;
        report("the control socket", served);
    });
    if let Some(listener) = admin {
        let answers = Arc::new(Answers::new(Arc::clone(service)));
        operators.spawn(async move {
            report("the admin address", admin::serve(listener, answers).await);
        });
    }
}

fn report(what: &str, served: io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(%error, "{what} is not served");
    }
}
