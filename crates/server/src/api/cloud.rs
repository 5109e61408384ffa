//! Clouds on which pools stand.

use super::{Named, image::ImageRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One region of a project of an OpenStack. How Oriel signs in there is told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cloud {
    pub id: String,
    pub name: String,
    /// Keystone's address.
    pub address: String,
    /// One of the cloud's, where it has several.
    #[schema(required)]
    pub region: Option<String>,
    /// Pools that stand on it.
    pub pools: Vec<Named>,
    /// Desktops of those pools.
    pub desktops: u64,
    /// Versions of images that it has.
    pub images: Vec<CloudImage>,
    /// How the server's last look at it went; null before the first.
    #[schema(required)]
    pub looked: Option<CloudLook>,
    pub reach: CloudReach,
    pub created_at: String,
    /// When how to sign in was last said.
    pub changed_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudImage {
    pub image: ImageRef,
    /// The cloud's own id of it.
    pub remote: String,
    pub created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudList {
    pub clouds: Vec<Cloud>,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudNew {
    /// Lowercase letters, digits and dashes; unique.
    pub name: String,
    /// The text of a clouds.yaml, as `openstack` reads it; only the part about one cloud is kept, sealed.
    #[schema(format = Password)]
    pub clouds_yaml: String,
    /// Which of the file's clouds, where it has several.
    #[serde(default)]
    pub cloud: Option<String>,
    /// Who signs its certificates, as PEM; left out, whom the server trusts.
    #[serde(default)]
    pub ca: Option<String>,
    /// Which of the cloud's regions, where it has several.
    #[serde(default)]
    pub region: Option<String>,
}

/// How desktops of a cloud are reached, and kept while they are off.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CloudReach {
    /// Networks from which their RDP and SSH are dialled; nothing else reaches them. Empty: from anywhere.
    pub gateways: Vec<String>,
    /// Desktops that are off are shelved after ten minutes: they take no room on a host, and longer to start.
    pub shelve: bool,
    /// An SSH server through which they are dialled; null when they are dialled straight.
    #[schema(required)]
    pub jump: Option<CloudJump>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudJump {
    pub host: String,
    pub port: u16,
    pub user: String,
    /// The key that it must show.
    pub host_key: String,
}

/// An SSH server through which desktops are dialled.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudJumpNew {
    pub host: String,
    /// 22 when left out.
    #[serde(default)]
    pub port: Option<u16>,
    pub user: String,
    /// The text of a private key; kept sealed.
    #[schema(format = Password)]
    pub private_key: String,
    #[serde(default)]
    #[schema(format = Password)]
    pub passphrase: Option<String>,
    /// The key that it must show: `ssh-ed25519 AAAA…`; left out, the one that it shows now.
    #[serde(default)]
    pub host_key: Option<String>,
}

/// Another way to sign in to the same project, as when a credential is renewed, or to reach its desktops. What is left out stays.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudChange {
    /// As of a new cloud. Left out: it is signed in to as before.
    #[serde(default)]
    #[schema(format = Password)]
    pub clouds_yaml: Option<String>,
    #[serde(default)]
    pub cloud: Option<String>,
    /// As a whole: left out, whom the server trusts.
    #[serde(default)]
    pub ca: Option<String>,
    /// The one that it was when left out.
    #[serde(default)]
    pub region: Option<String>,
    /// Networks from which desktops are dialled (`192.0.2.7`, `192.0.2.0/24`); empty for anywhere.
    #[serde(default)]
    pub gateways: Option<Vec<String>>,
    /// Whether desktops that are off are shelved.
    #[serde(default)]
    pub shelve: Option<bool>,
    #[serde(default)]
    pub jump: Option<CloudJumpNew>,
    /// Desktops are dialled straight again.
    #[serde(default)]
    pub without_jump: bool,
}

/// Which of a cloud's images holds a version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudImageSet {
    /// The cloud's own id of it.
    pub remote: String,
}

/// Where a pool stands on a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CloudPlace {
    pub cloud: Named,
    /// A flavor's id or name: processors, memory, disk and GPU of a desktop.
    pub flavor: String,
    /// A network's id or name; `auto` for what the project has, `none` for no network card.
    pub network: String,
    /// At which address a desktop is reached: `fixed`, or `floating from NETWORK` for one of its own from an external network.
    pub address: String,
    /// What a desktop's disk is: `image`, `volume`, or `volume,type=TYPE,size=GIB`.
    pub root: String,
}

/// Where a new pool shall stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudPlaceNew {
    /// Id or name.
    pub cloud: String,
    pub flavor: String,
    /// `auto` when left out.
    #[serde(default)]
    pub network: Option<String>,
    /// `fixed` when left out, or `floating from NETWORK`.
    #[serde(default)]
    pub address: Option<String>,
    /// `image` when left out; `volume`, or `volume,type=TYPE,size=GIB`.
    #[serde(default)]
    pub root: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudLook {
    pub at: String,
    /// Why nothing was seen; null when all was well.
    #[schema(required)]
    pub problem: Option<String>,
}

/// What pools may choose of a cloud, as it says at this moment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudOffer {
    /// By name.
    pub flavors: Vec<CloudFlavor>,
    /// By name.
    pub networks: Vec<CloudNetwork>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudFlavor {
    pub id: String,
    pub name: String,
    pub vcpus: u64,
    pub memory_mib: u64,
    pub disk_gib: u64,
    /// What it asks of a GPU, in the cloud's words: `VGPU × 1`. Null without one.
    #[schema(required)]
    pub gpu: Option<String>,
    /// Servers of it for which GPUs are free. Null where it asks for none, or the cloud does not say.
    #[schema(required)]
    pub gpus_free: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudNetwork {
    pub id: String,
    pub name: String,
    /// Of somebody else, for everybody.
    pub shared: bool,
    /// Floating addresses come from there; servers seldom stand on it.
    pub external: bool,
}

impl From<oriel_model::CloudOffer> for CloudOffer {
    fn from(offer: oriel_model::CloudOffer) -> Self {
        let flavor = |one: oriel_model::CloudFlavor| CloudFlavor {
            id: one.id,
            name: one.name,
            vcpus: one.vcpus,
            memory_mib: one.memory_mib,
            disk_gib: one.disk_gib,
            gpu: one.gpu,
            gpus_free: one.gpus_free,
        };
        let network = |one: oriel_model::CloudNetwork| CloudNetwork {
            id: one.id,
            name: one.name,
            shared: one.shared,
            external: one.external,
        };
        Self {
            flavors: offer.flavors.into_iter().map(flavor).collect(),
            networks: offer.networks.into_iter().map(network).collect(),
        }
    }
}
