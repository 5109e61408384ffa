//! Files of machines, and of sessions with machines. Of machines with SSH over the same ways in as shells, and of an RDP session what lies
//! on its drive. Over SSH: Each person has one SFTP session to a desktop, in a worker of its own, which
//! stays open for a while: browsing a folder must not cost a handshake a click.

mod drive;
mod handle;

pub(crate) use drive::{DrivePlace, root as drive_root};
pub use handle::{Download, Files, TRANSFERS_MAX, Upload};

use crate::connect::{Door, Task, dial, files_error, terminal_bye, too_late};
use crate::registry::{Counters, Entry};
use crate::target::{Dialler, ShellTarget};
use crate::{CONNECT_TIME_MAX, Gateway, worker};
use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
use oriel_terminal::FilesError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{Instant, sleep, timeout};

/// Most open sessions of one program.
const SESSIONS_MAX: usize = 500;
/// How long one stays open after it was last asked for.
const IDLE_TIME: Duration = Duration::from_mins(1);

type Key = (UserId, DesktopId);
/// Filled by whoever comes first; the others wait for that.
type Cell = Arc<OnceCell<Arc<Files>>>;

struct Session {
    files: Cell,
    used: Instant,
}

#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Key, Session>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: Key) -> Result<Cell, FilesError> {
        let mut all = self.all();
        if let Some(session) = all.get_mut(&key)
            && session.files.get().is_none_or(|files| !files.is_closed())
        {
            session.used = Instant::now();
            return Ok(Arc::clone(&session.files));
        }
        if all.len() >= SESSIONS_MAX {
            // Whoever was opening one may have gone away.
            all.retain(|_, session| session.files.initialized() || session.used.elapsed() < IDLE_TIME);
        }
        if all.len() >= SESSIONS_MAX {
            return Err(FilesError::NotThere(format!(
                "this server already has {SESSIONS_MAX} file sessions open; try again in a minute"
            )));
        }
        let files = Cell::default();
        all.insert(key, Session { files: Arc::clone(&files), used: Instant::now() });
        Ok(files)
    }

    fn has(&self, key: Key, cell: &Cell) -> bool {
        self.all().get(&key).is_some_and(|session| Arc::ptr_eq(&session.files, cell))
    }

    /// Whose are open, or being opened, of what.
    pub fn keys(&self) -> Vec<Key> {
        self.all().keys().copied().collect()
    }

    /// Ends sessions; transfers over them break.
    pub async fn end_where(&self, matches: impl Fn(UserId, DesktopId) -> bool) {
        let mut ended = Vec::new();
        self.all().retain(|(user, desktop), session| {
            let ends = matches(*user, *desktop);
            if ends {
                ended.extend(session.files.get().cloned());
            }
            !ends
        });
        for files in ended {
            files.close().await;
        }
    }
}

impl Gateway {
    /// The files of a desktop, for a person who may open it (the server has checked). The browser names no host and no port.
    pub async fn files(&self, user: UserId, desktop: DesktopId) -> Result<Arc<Files>, FilesError> {
        let key = (user, desktop);
        let cell = self.file_sessions().take(key)?;
        let opening = || async {
            let files = self.open_files(user, desktop).await?;
            // By whoever opened it: who came first may have gone away.
            let (gateway, cell) = (self.clone(), Arc::clone(&cell));
            tokio::spawn(async move { gateway.watch(key, cell).await });
            Ok(files)
        };
        let opened = cell.get_or_try_init(opening).await.cloned();
        let Ok(files) = opened else {
            self.forget(key, &cell);
            return opened;
        };
        // Ended while it was being opened: nobody else will end it.
        if !self.file_sessions().has(key, &cell) {
            files.close().await;
            return Err(FilesError::NotThere("these files were closed a moment ago; try again".into()));
        }
        Ok(files)
    }

    /// What lies on the drive of a person's own RDP session with a desktop, which must be live.
    pub fn drive(&self, user: UserId, desktop: DesktopId) -> Result<Arc<Files>, FilesError> {
        let own = |entry: &&Entry| {
            entry.user == user
                && entry.desktop == desktop
                && entry.port == GuestPort::Rdp
                && !entry.commands.is_closed()
        };
        let place = self.live().values().find(own).map(|entry| Arc::clone(&entry.drive));
        let place = place.ok_or_else(|| {
            FilesError::NotThere(
                "there is no open session, and its drive is there only while it is; open the desktop".into(),
            )
        })?;
        let files = if self.workers().is_some() { place.anywhere() } else { Some(place.here()) };
        files.ok_or_else(|| FilesError::NotThere("the session is just being opened; try again in a moment".into()))
    }

    async fn open_files(&self, user: UserId, desktop: DesktopId) -> Result<Arc<Files>, FilesError> {
        let dialler = self.dialler_for(user, None);
        let Some(program) = self.workers() else {
            return Ok(Arc::new(Files::here(reach(dialler, desktop).await?)));
        };
        let (_, commands) = mpsc::channel(1);
        let task = Task {
            id: ConnectionId::new(),
            user,
            desktop,
            port: GuestPort::Ssh,
            recordings: None,
            commands,
            dialler,
            counters: Arc::new(Counters::default()),
            rules: Arc::default(),
            drive: Arc::default(),
        };
        Ok(Arc::new(Files::in_worker(worker::open_files(task, program).await?)))
    }

    fn forget(&self, key: Key, cell: &Cell) {
        let mut all = self.file_sessions().all();
        if all.get(&key).is_some_and(|session| Arc::ptr_eq(&session.files, cell)) {
            all.remove(&key);
        }
    }

    /// Closes a session when nobody has asked for it for a while and nothing is being transferred.
    async fn watch(&self, key: Key, cell: Cell) {
        loop {
            sleep(IDLE_TIME / 2).await;
            let Some(files) = cell.get() else { return };
            let mut all = self.file_sessions().all();
            let Some(session) = all.get(&key).filter(|session| Arc::ptr_eq(&session.files, &cell)) else { return };
            // Whoever asks right now has it, too.
            let idle = session.used.elapsed() > IDLE_TIME && Arc::strong_count(files) == 1 && files.is_idle();
            if idle || files.is_closed() {
                all.remove(&key);
                return;
            }
        }
    }
}

/// Signs in, in whichever process this is.
pub(crate) async fn reach(
    dialler: Arc<dyn Dialler>,
    desktop: DesktopId,
) -> Result<Arc<oriel_terminal::Files>, FilesError> {
    let target = dial(&*dialler, desktop, GuestPort::Ssh).await.map_err(files_error)?;
    let Some(ShellTarget::Ssh { mut ssh, files_root, .. }) = target.protocol.into_shell() else {
        return Err(FilesError::NotThere("this machine has no file service; only machines with SSH have".into()));
    };
    ssh.keeper = Some(Door { dialler, desktop, port: GuestPort::Ssh }.keeper());
    let opening = oriel_terminal::Files::open(target.stream, &ssh, files_root.as_deref());
    let files = timeout(CONNECT_TIME_MAX, opening).await.map_err(|_| files_error(too_late()))?;
    let files = files.map_err(|error| match error {
        FilesError::Connection(error) => files_error(terminal_bye(&error)),
        other => other,
    })?;
    Ok(files)
}
