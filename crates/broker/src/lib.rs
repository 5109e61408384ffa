//! The broker: who may use what, and what must be done so that it is there.
//!
//! People and programs change *intent* through the methods of [`Broker`], one file per noun. [`reconcile`] moves the world
//! towards it: each reconciler takes no input, reads desired and observed state, takes one idempotent step per thing, and
//! is woken by a timer or a signal. Kill the program at any point and start it again: it converges.

mod app;
mod audit;
mod booking;
mod capture;
mod clock;
mod cloud;
mod desktop;
mod desktop_work;
mod device;
mod directory;
mod drive;
mod error;
mod export;
mod external;
mod farewell;
pub mod fault;
mod gpu;
mod group;
mod guest;
mod host;
mod image;
mod kerberos;
mod lead;
mod moving;
mod numbers;
mod operation;
mod over;
mod passkey;
mod personal_disk;
mod place;
mod pool;
mod provider;
mod provider_sign_in;
mod proxy_sign_in;
mod quota;
pub mod reconcile;
mod recording;
mod role;
mod rollout;
mod seat;
mod second_factor;
mod secrets;
mod session;
mod sharing;
mod subscription;
mod syslog;
mod thumbnail;
mod ticket;
mod user;
mod wake;
mod webhook;

pub use app::AppChange;
pub use audit::{AUDIT_PAGE_MAX, AuditVerdict};
pub use booking::{BookedHour, NewBooking};
pub use capture::NewCapture;
pub use cloud::{CloudJump, CloudReach, CloudReachChange, CloudSignIn, NewCloud, ShownJump};
pub use desktop::NewDesktop;
pub use device::{
    DeviceKnown, DeviceLook, DevicePicture, DevicePower, DeviceTransfer, DriveWish, ImageUpload, TransferKind,
    UploadPiece,
};
pub use directory::{DirectoryChange, DirectoryTest, NewDirectory};
pub use drive::{DRIVE_BYTES_MAX, DRIVE_IMAGES_MAX, DesktopDrive, DriveImage, DriveUpload};
pub use error::BrokerError;
pub use export::{EXPORT_DAYS, ExportContent, Films, NewExport};
pub use external::{MachineChange, MachineSecrets, NewExternalPool, NewMachine};
pub use gpu::{GpuRules, HeldGpu, Holder, Stranger};
pub use group::{GroupChange, NewGroup, WholeGroup};
pub use guest::{GuestAccess, GuestAccount, GuestCredentials, GuestGateway, GuestJump, GuestKerberos};
pub use host::CloudMaker;
pub use kerberos::Realms;
pub use numbers::PoolNumbers;
pub use operation::BuildRequest;
pub use oriel_compute::external::{ExternalError, Outside};
pub use oriel_directory::DirectoryError;
pub use oriel_oidc::{Looked as ProviderLooked, OidcError};
pub use oriel_physical as physical;
pub use over::{Open, OpenAs};
pub use passkey::{NewPasskey, PASSKEY_SECONDS, PasskeyArrival, PasskeyAsk, PasskeyCreation, PasskeyShown};
pub use personal_disk::ShownDisk;
pub use pool::{NewPool, PoolChange};
pub use provider::{NewProvider, ProviderChange};
pub use provider_sign_in::{Arrival, Beginning, Returned, SIGN_IN_SECONDS};
pub use proxy_sign_in::ProxyPerson;
pub use quota::{Attendance, PoolUse, QuotaStanding, QuotaUse};
pub use reconcile::{ByHand, ReconcilerStatus, rollout::RolloutCount, upkeep::PoolCount};
pub use recording::{LiveRecording, NewRecording, RecordingContent};
pub use rollout::{ImageUses, RolloutView};
pub use second_factor::{DEVICE_SECONDS, NewTotp, SecondFactor};
pub use secrets::{SealKeyUse, SealStanding};
pub use session::{NewToken, SignedIn};
pub use syslog::NewSyslog;
pub use thumbnail::Thumbnail;
pub use ticket::{NewTicket, TICKET_SECONDS};
pub use user::{NewUser, UserChange};
pub use webhook::NewWebhook;

use async_trait::async_trait;
use oriel_compute::Compute;
use oriel_identity::{Throttle, Vault};
use oriel_image::ImageStore;
use oriel_model::{Accelerator, DesktopId, Micros, UserId};
use oriel_store::Store;
use std::sync::{Arc, Mutex, OnceLock};

/// What the broker needs to know of live connections; the gateway answers.
#[async_trait]
pub trait Sessions: Send + Sync {
    fn connections_to(&self, desktop: DesktopId) -> usize;
    /// All desktops that somebody is connected to, or has the files of open, opened ahead of them too. A desktop that is not said here is
    /// one that somebody has left.
    fn connected(&self) -> Vec<DesktopId>;
    /// When somebody last touched a connection to a desktop.
    fn touched(&self) -> Vec<(DesktopId, Micros)> {
        Vec::new()
    }
    /// A JPEG of what a live connection shows, at most so many pixels wide.
    async fn thumbnail(&self, desktop: DesktopId, width_max: u16) -> Option<Vec<u8>>;
    /// Opens the person's session ahead of them, in the background.
    fn prelaunch(&self, user: UserId, desktop: DesktopId);
    async fn end_desktop(&self, desktop: DesktopId, reason: &str);
    /// Tells whoever is connected to a desktop that they will be cut off in so many seconds.
    fn warn(&self, _desktop: DesktopId, _seconds: u32) {}
    async fn end_user(&self, user: UserId, reason: &str);
    /// What everybody has open at this moment, opened ahead of them too.
    fn open(&self) -> Vec<Open> {
        Vec::new()
    }
    /// Ends what one person has open of one desktop.
    async fn end_of(&self, _user: UserId, _desktop: DesktopId, _reason: &str) {}
    /// Somebody looks on at nobody's connection any more as an administrator.
    fn end_helping(&self, _user: UserId, _reason: &str) {}
}

/// The broker's handle; cloning shares it.
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    vault: Vault,
    /// The host that this program runs on.
    compute: Arc<dyn Compute>,
    clouds: host::Clouds,
    images: ImageStore,
    outside: OnceLock<Arc<Outside>>,
    realms: OnceLock<Realms>,
    accelerator: Accelerator,
    throttle: Mutex<Throttle>,
    asking_directories: tokio::sync::Semaphore,
    providers: provider::Known,
    sessions: OnceLock<Arc<dyn Sessions>>,
    reconcilers: reconcile::Board,
    thumbnails: thumbnail::Cache,
    looks: device::Looks,
    logins: device::Logins,
    bmcs: device::Bmcs,
    transfers: device::Transfers,
    gpu_rules: OnceLock<GpuRules>,
    /// One choice at a time: two that look together would both take the last licence.
    choosing_gpus: tokio::sync::Mutex<()>,
    recorder: recording::Recorder,
    lead: lead::Lead,
    /// Desktops worked on at once, where somebody said how many.
    parallel: OnceLock<usize>,
    films: OnceLock<Films>,
    attending: quota::Attending,
}

impl Broker {
    /// `accelerator` is the probe's verdict (or the configuration's word) that new starts use.
    pub fn new(
        store: Store,
        vault: Vault,
        compute: Arc<dyn Compute>,
        images: ImageStore,
        accelerator: Accelerator,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                vault,
                compute,
                clouds: host::Clouds::default(),
                images,
                outside: OnceLock::new(),
                realms: OnceLock::new(),
                accelerator,
                throttle: Mutex::default(),
                asking_directories: tokio::sync::Semaphore::new(directory::QUESTIONS_MAX),
                providers: provider::Known::default(),
                sessions: OnceLock::new(),
                reconcilers: reconcile::Board::default(),
                thumbnails: thumbnail::Cache::default(),
                looks: device::Looks::default(),
                logins: device::Logins::default(),
                bmcs: device::Bmcs::default(),
                transfers: device::Transfers::default(),
                gpu_rules: OnceLock::new(),
                choosing_gpus: tokio::sync::Mutex::default(),
                recorder: recording::Recorder::default(),
                lead: lead::Lead::default(),
                parallel: OnceLock::new(),
                films: OnceLock::new(),
                attending: quota::Attending::default(),
            }),
        }
    }

    /// Connects the gateway's view of live connections, once.
    pub fn set_sessions(&self, sessions: Arc<dyn Sessions>) {
        self.inner.sessions.set(sessions).ok();
    }

    /// How GPUs are handed out, once; the usual rules until then.
    pub fn set_gpu_rules(&self, rules: GpuRules) {
        self.inner.gpu_rules.set(rules).ok();
    }

    /// How many desktops are worked on at once, once.
    pub fn set_parallel(&self, count: usize) {
        self.inner.parallel.set(count.max(1)).ok();
    }

    /// Says which addresses beyond the public internet may be dialled, once.
    pub fn set_outside(&self, outside: Arc<Outside>) {
        self.inner.outside.set(outside).ok();
    }

    fn outside(&self) -> &Outside {
        self.inner.outside.get_or_init(Arc::default)
    }

    pub fn accelerator(&self) -> &Accelerator {
        &self.inner.accelerator
    }

    /// What is known of the host that runs the desktops.
    pub async fn host_facts(&self) -> Result<oriel_model::HostFacts, BrokerError> {
        let mut facts = self.inner.compute.facts().await?;
        facts.accelerator = self.inner.accelerator.clone();
        Ok(facts)
    }

    fn sessions(&self) -> Option<&Arc<dyn Sessions>> {
        self.inner.sessions.get()
    }
}
