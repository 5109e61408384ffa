//! Clouds on which pools may stand, and which of their images holds a version of ours.

use crate::clock::now;
use crate::{Broker, BrokerError, fault};
use oriel_compute::{Compute, ImageFile, JumpHost, openstack::gateway};
use oriel_image::{ImageError, Job};
use oriel_model::{
    CLOUDS_MAX, Cloud, CloudId, CloudImage, CloudOffer, Finding, ImageId, Name, Operation, OperationKind, UserId,
};
use oriel_openstack::{Cloud as Way, Clouds as File};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Longest clouds.yaml that is read, in bytes.
const FILE_BYTES_MAX: usize = 256 << 10;
/// Longest of what is kept of it and longest certificate, in bytes: both are sealed as one.
const KEPT_BYTES_MAX: usize = 24 << 10;
/// Longest id of a cloud's image and name of a region, in bytes.
const WORD_BYTES_MAX: usize = 255;
/// Longest private key of a jump host, in bytes of text: what is kept is sealed as one.
const JUMP_KEY_BYTES_MAX: usize = 8 << 10;
/// Most networks from which desktops of a cloud are dialled: each is two rules of a security group.
const GATEWAYS_MAX: usize = 16;
/// How long volumes of a cloud that is removed may take to go, and between two looks.
const GOLDEN_TIME_MAX: Duration = Duration::from_mins(1);
const GOLDEN_LOOK: Duration = Duration::from_secs(2);
/// What failed, for people.
const OPENING: &str = "opening how to sign in to a cloud";
/// Whose servers are ours in a project that others use as well.
const INSTALLATION: &str = "installation";

/// How Oriel signs in to a cloud.
pub struct CloudSignIn {
    /// The text of a clouds.yaml; only the part about one cloud is kept.
    pub clouds_yaml: SecretString,
    /// Which of the file's, where it has several.
    pub cloud: Option<String>,
    /// Who signs its certificates, as PEM: the file's `cacert` is a path of another machine.
    pub ca: Option<String>,
    /// One of the cloud's, where it has several.
    pub region: Option<String>,
}

/// How desktops on a cloud are reached, and kept while they are off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudReach {
    /// Networks from which they are dialled; nothing else reaches them. Empty: from anywhere.
    pub gateways: Vec<String>,
    /// Desktops that are off are shelved after a while.
    pub shelve: bool,
    /// Through which machine they are dialled, without its secrets.
    pub jump: Option<ShownJump>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownJump {
    pub host: String,
    pub port: u16,
    pub user: String,
    /// What it must show: `ssh-ed25519 AAAA…`.
    pub host_key: String,
}

/// An SSH server through which desktops are dialled.
pub struct CloudJump {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub private_key: SecretString,
    pub passphrase: Option<SecretString>,
    /// What it must show; left out, what it shows now.
    pub host_key: Option<String>,
}

/// What is left out stays.
#[derive(Default)]
pub struct CloudReachChange {
    pub gateways: Option<Vec<String>>,
    pub shelve: Option<bool>,
    /// `Some(None)`: desktops are dialled straight.
    pub jump: Option<Option<CloudJump>>,
}

pub struct NewCloud {
    pub name: Name,
    pub sign_in: CloudSignIn,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    file: String,
    ca: Option<String>,
    #[serde(default)]
    reach: KeptReach,
}

#[derive(Default, Serialize, Deserialize)]
struct KeptReach {
    gateways: Vec<String>,
    shelve: bool,
    jump: Option<KeptJump>,
}

#[derive(Serialize, Deserialize)]
struct KeptJump {
    host: String,
    port: u16,
    user: String,
    private_key: String,
    passphrase: Option<String>,
    host_key: String,
}

impl KeptJump {
    fn host(self) -> JumpHost {
        JumpHost {
            host: self.host,
            port: self.port,
            user: self.user,
            private_key: self.private_key.into(),
            passphrase: self.passphrase.map(SecretString::from),
            host_key: self.host_key,
        }
    }
}

/// A cloud opened: how to sign in, and how its desktops are reached.
pub(crate) struct Opened {
    pub way: Way,
    pub gateways: Vec<String>,
    pub shelve: bool,
    pub jump: Option<JumpHost>,
}

impl Broker {
    /// By name.
    pub async fn clouds(&self) -> Result<Vec<Cloud>, BrokerError> {
        Ok(self.inner.store.clouds().await?)
    }

    /// By id or by name.
    pub async fn find_cloud(&self, key: &str) -> Result<Cloud, BrokerError> {
        let missing = || BrokerError::missing("cloud", key);
        let found = match key.parse::<CloudId>() {
            Ok(id) => self.inner.store.cloud(id).await?,
            Err(_) => self.inner.store.cloud_by_name(&key.parse().map_err(|_| missing())?).await?,
        };
        found.ok_or_else(missing)
    }

    pub(crate) async fn cloud(&self, id: CloudId) -> Result<Cloud, BrokerError> {
        self.inner.store.cloud(id).await?.ok_or_else(|| BrokerError::missing("cloud", id))
    }

    /// Nothing is asked of it yet: [`Self::test_cloud`] does.
    pub async fn create_cloud(&self, new: NewCloud) -> Result<Cloud, BrokerError> {
        if self.clouds().await?.len() >= CLOUDS_MAX {
            return Err(BrokerError::conflict(
                "too_many_clouds",
                format!("there are {CLOUDS_MAX} clouds already"),
                "remove one on which no pool stands",
            ));
        }
        let (way, kept) = read(&new.sign_in)?;
        let cloud = Cloud {
            id: CloudId::new(),
            name: new.name,
            address: way.auth_url.to_string(),
            region: region(&way, new.sign_in.region)?,
            created: now(),
            changed: now(),
        };
        self.installation().await?;
        self.inner.store.create_cloud(&cloud, &self.seal_cloud(cloud.id, &kept)?).await?;
        tracing::info!(cloud = %cloud.name, address = cloud.address, "Cloud added");
        Ok(cloud)
    }

    /// Another way to sign in to the same project, as when a credential is renewed, and how its desktops are reached, and kept while they are
    /// off. All of it holds at once, or none does. What stands there is found by its tags: in another project it is not. A jump host whose
    /// key is not said is asked for it, and must show the same from then on.
    pub async fn change_cloud(
        &self,
        id: CloudId,
        sign_in: Option<CloudSignIn>,
        reach: CloudReachChange,
    ) -> Result<Cloud, BrokerError> {
        let mut cloud = self.cloud(id).await?;
        let mut kept = self.kept_of(&cloud).await?;
        if let Some(sign_in) = sign_in {
            let (way, new) = read(&sign_in)?;
            cloud.address = way.auth_url.to_string();
            cloud.region = region(&way, sign_in.region.or(cloud.region))?;
            kept = Kept { reach: kept.reach, ..new };
        }
        if let Some(gateways) = reach.gateways {
            kept.reach.gateways = networks(&gateways)?;
        }
        kept.reach.shelve = reach.shelve.unwrap_or(kept.reach.shelve);
        match reach.jump {
            None => {}
            Some(None) => kept.reach.jump = None,
            Some(Some(jump)) => kept.reach.jump = Some(self.met_jump(jump).await?),
        }
        cloud.changed = now();
        self.inner.store.update_cloud(&cloud, &self.seal_cloud(id, &kept)?).await?;
        self.forget_cloud_host(id);
        self.wake_desktops();
        Ok(cloud)
    }

    /// How its desktops are reached.
    pub async fn cloud_reach(&self, cloud: &Cloud) -> Result<CloudReach, BrokerError> {
        let KeptReach { gateways, shelve, jump } = self.kept_of(cloud).await?.reach;
        let jump = jump.map(|it| ShownJump { host: it.host, port: it.port, user: it.user, host_key: it.host_key });
        Ok(CloudReach { gateways, shelve, jump })
    }

    /// Checked, and with the key that it must show.
    async fn met_jump(&self, jump: CloudJump) -> Result<KeptJump, BrokerError> {
        let bad = |text: String| BrokerError::invalid("bad_jump", text, "mend that, and send it again");
        let is_word = |text: &str| {
            !text.is_empty()
                && text.len() <= WORD_BYTES_MAX
                && !text.starts_with('-')
                && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        for (what, word) in [("a host", &jump.host), ("an account", &jump.user)] {
            if !is_word(word) {
                return Err(bad(format!("{:?} is not {what}", word.chars().take(64).collect::<String>())));
            }
        }
        if jump.port == 0 || jump.private_key.expose_secret().len() > JUMP_KEY_BYTES_MAX {
            return Err(bad(format!("a port is 1 to 65535, and a key has at most {JUMP_KEY_BYTES_MAX} bytes")));
        }
        let dialler = self.jump_dialler()?;
        let mut host = JumpHost {
            host: jump.host,
            port: jump.port,
            user: jump.user,
            private_key: jump.private_key,
            passphrase: jump.passphrase,
            host_key: jump.host_key.map(|key| key.trim().to_owned()).unwrap_or_default(),
        };
        dialler.check(&host).map_err(bad)?;
        if host.host_key.is_empty() {
            host.host_key = dialler.host_key(&host).await.map_err(|reason| {
                bad(format!("the jump host {} cannot be asked for its key: {reason}", host.name()))
            })?;
            tracing::info!(jump = host.name(), key = host.host_key, "A jump host is known by this key from now on");
        }
        if host.host_key.len() > KEPT_BYTES_MAX / 4 {
            return Err(bad("its host keys are too long".to_owned()));
        }
        Ok(KeptJump {
            private_key: host.private_key.expose_secret().to_owned(),
            passphrase: host.passphrase.as_ref().map(|it| it.expose_secret().to_owned()),
            host: host.host,
            port: host.port,
            user: host.user,
            host_key: host.host_key,
        })
    }

    /// Refused while pools stand on it. What is there stays there: with its pools gone, nothing of ours is.
    pub async fn delete_cloud(&self, id: CloudId) -> Result<(), BrokerError> {
        let host = self.cloud_host(id).await;
        self.inner.store.delete_cloud(id).await?;
        self.forget_cloud_host(id);
        // What desktops of pools that have just gone were cloned from: nobody finds it later.
        if let Ok(host) = host {
            tokio::spawn(remove_golden(host));
        }
        Ok(())
    }

    /// What works there and what does not; changes nothing.
    pub async fn test_cloud(&self, id: CloudId) -> Result<Vec<Finding>, BrokerError> {
        Ok(self.cloud_host(id).await?.doctor().await)
    }

    /// Flavors and networks that pools may choose, asked of the cloud.
    pub async fn cloud_offer(&self, id: CloudId) -> Result<CloudOffer, BrokerError> {
        Ok(self.cloud_host(id).await?.offer().await?)
    }

    /// Says which of a cloud's images holds a version of ours.
    pub async fn set_cloud_image(&self, id: CloudId, image: ImageId, remote: String) -> Result<(), BrokerError> {
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if remote.is_empty() || remote.len() > WORD_BYTES_MAX || !remote.chars().all(is_id) {
            return Err(BrokerError::invalid(
                "bad_cloud_image",
                format!("{:?} is no id of a cloud's image", remote.chars().take(80).collect::<String>()),
                "`openstack image list` shows ids",
            ));
        }
        let of = CloudImage { cloud: id, image, remote, created: now() };
        self.inner.store.put_cloud_image(&of).await?;
        self.wake_desktops();
        Ok(())
    }

    /// Brings a version to a cloud, as an operation.
    pub async fn upload_to_cloud(
        &self,
        id: CloudId,
        image: ImageId,
        by: Option<UserId>,
    ) -> Result<Operation, BrokerError> {
        let (cloud, version) = (self.cloud(id).await?, self.find_image(&image.to_string()).await?);
        let title = format!("{}:{} to {}", version.name, version.version, cloud.name);
        self.queue_operation(OperationKind::ImageUpload { cloud: id, image, title }, by).await
    }

    /// Answers with the cloud's id of it. What is there already is not sent again.
    pub(crate) async fn perform_upload(
        &self,
        id: CloudId,
        image: ImageId,
        job: &dyn Job,
    ) -> Result<String, BrokerError> {
        let (host, version) = (self.cloud_host(id).await?, self.find_image(&image.to_string()).await?);
        let path = self.inner.images.path(&version.sha256)?;
        let name = format!("oriel {}:{}", version.name, version.version);
        let file = ImageFile { path: &path, sha256: &version.sha256, name: &name };
        let step = format!("sending {name}");
        let all = version.file_bytes.max(1) as f64;
        let progress = |bytes: u64| job.progress(bytes as f64 / all, &step);
        let remote = tokio::select! {
            remote = host.put_image(&file, &progress) => remote?,
            () = job.cancelled() => return Err(ImageError::Cancelled.into()),
        };
        fault::point("operation.image_uploaded");
        let of = CloudImage { cloud: id, image, remote: remote.clone(), created: now() };
        self.inner.store.put_cloud_image(&of).await?;
        Ok(remote)
    }

    pub async fn cloud_images(&self, id: CloudId) -> Result<Vec<CloudImage>, BrokerError> {
        Ok(self.inner.store.cloud_images(id).await?)
    }

    pub async fn forget_cloud_image(&self, id: CloudId, image: ImageId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_cloud_image(id, image).await?)
    }

    /// Made once for a database.
    pub(crate) async fn installation(&self) -> Result<String, BrokerError> {
        let store = &self.inner.store;
        if let Some(known) = store.setting(INSTALLATION).await? {
            return Ok(known);
        }
        store.put_setting(INSTALLATION, &uuid::Uuid::now_v7().to_string()).await?;
        // Of two programs that do it at once the later wins, for both.
        store
            .setting(INSTALLATION)
            .await?
            .ok_or_else(|| BrokerError::internal("naming this installation", "it is not kept"))
    }

    pub(crate) async fn open_cloud(&self, cloud: &Cloud) -> Result<Opened, BrokerError> {
        let kept = self.kept_of(cloud).await?;
        let way = File::read(&kept.file).and_then(|file| file.pick(None));
        let way = way.map_err(|error| BrokerError::internal(OPENING, error))?;
        let KeptReach { gateways, shelve, jump } = kept.reach;
        Ok(Opened { way: Way { ca: kept.ca, ..way }, gateways, shelve, jump: jump.map(KeptJump::host) })
    }

    async fn kept_of(&self, cloud: &Cloud) -> Result<Kept, BrokerError> {
        let sealed = self.inner.store.cloud_sign_in(cloud.id).await?;
        let sealed = sealed.ok_or_else(|| BrokerError::missing("cloud", cloud.id))?;
        let text = self
            .inner
            .vault
            .open(&sealed, &context_of(cloud.id))
            .map_err(|error| BrokerError::internal(OPENING, error))?;
        serde_json::from_str(text.expose_secret()).map_err(|_| BrokerError::internal(OPENING, "it is not whole"))
    }

    fn seal_cloud(&self, id: CloudId, kept: &Kept) -> Result<String, BrokerError> {
        let what = "sealing how to sign in to a cloud";
        let text = serde_json::to_string(kept).map(SecretString::from);
        let text = text.map_err(|error| BrokerError::internal(what, error))?;
        let sealed = self.inner.vault.seal(text.expose_secret(), &context_of(id));
        sealed.map_err(|error| BrokerError::internal(what, error))
    }
}

fn read(sign_in: &CloudSignIn) -> Result<(Way, Kept), BrokerError> {
    let bad = |text: String| BrokerError::invalid("bad_cloud", text, "mend that, and send it again");
    let ca = sign_in.ca.as_ref().filter(|ca| !ca.trim().is_empty());
    if sign_in.clouds_yaml.expose_secret().len() > FILE_BYTES_MAX {
        return Err(bad(format!("that is longer than {FILE_BYTES_MAX} bytes, which is no clouds.yaml")));
    }
    if ca.is_some_and(|ca| ca.len() > KEPT_BYTES_MAX) {
        return Err(bad(format!(
            "the certificate is longer than {KEPT_BYTES_MAX} bytes: send that of the cloud's CA alone"
        )));
    }
    let file = File::read(sign_in.clouds_yaml.expose_secret()).map_err(|error| bad(error.to_string()))?;
    let mut way = file.pick(sign_in.cloud.as_deref()).map_err(|error| bad(error.to_string()))?;
    if way.cacert.take().is_some() && ca.is_none() {
        return Err(bad("the file names a certificate (`cacert`) that is elsewhere: send it as `ca`".to_owned()));
    }
    let part = file.part(&way.name).map_err(|error| bad(error.to_string()))?;
    if part.expose_secret().len() > KEPT_BYTES_MAX {
        return Err(bad(format!("the file's part about {} is longer than {KEPT_BYTES_MAX} bytes", way.name)));
    }
    way.ca = ca.cloned();
    // A certificate that cannot be used says so now.
    oriel_openstack::Client::new(&way, None, oriel_openstack::Options::default())
        .map_err(|error| bad(error.to_string()))?;
    let kept = Kept { file: part.expose_secret().to_owned(), ca: ca.cloned(), reach: KeptReach::default() };
    Ok((way, kept))
}

async fn remove_golden(host: Arc<dyn Compute>) {
    let gone = async {
        loop {
            match host.keep_golden(&BTreeSet::new()).await {
                Ok(true) => return Ok(()),
                // A cloud that does not answer just now may do so in a moment.
                Err(error) if !error.is_passing() => return Err(error),
                Ok(false) | Err(_) => tokio::time::sleep(GOLDEN_LOOK).await,
            }
        }
    };
    let why = match tokio::time::timeout(GOLDEN_TIME_MAX, gone).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "they are not gone after a minute".to_owned(),
    };
    tracing::warn!(
        cloud = host.name(),
        why,
        "A cloud was removed, and golden volumes may be left there; `openstack volume list --long` shows them by oriel-of"
    );
}

/// As they are kept: each once, in their usual form.
fn networks(said: &[String]) -> Result<Vec<String>, BrokerError> {
    let bad = |text: String| BrokerError::invalid("bad_gateway", text, "say 192.0.2.7 or 192.0.2.0/24");
    if said.len() > GATEWAYS_MAX {
        return Err(bad(format!("there are more than {GATEWAYS_MAX} networks")));
    }
    let mut all = Vec::new();
    for text in said {
        let net = gateway(text).map_err(bad)?.to_string();
        if !all.contains(&net) {
            all.push(net);
        }
    }
    Ok(all)
}

fn region(way: &Way, wanted: Option<String>) -> Result<Option<String>, BrokerError> {
    if let Some(region) = wanted.filter(|region| !region.is_empty()) {
        if region.len() > WORD_BYTES_MAX {
            return Err(BrokerError::invalid("bad_cloud", "that is no region", "`openstack region list` shows them"));
        }
        return Ok(Some(region));
    }
    match way.regions.as_slice() {
        [] | [_] => Ok(way.regions.first().cloned()),
        several => Err(BrokerError::invalid(
            "which_region",
            format!("the cloud has several regions: {}", several.join(", ")),
            "say which one with `region`; each can be a cloud of its own",
        )),
    }
}

pub(crate) fn context_of(id: CloudId) -> String {
    format!("cloud:{id}")
}
