//! Somebody else's engine on which desktops stand: a project of an OpenStack.

use crate::{CloudId, ImageId, Micros, Name};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Most clouds: each is looked at in every round.
pub const CLOUDS_MAX: usize = 32;

/// One region of one project. How Oriel signs in there is not among it: that is sealed apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloud {
    pub id: CloudId,
    /// Unique.
    pub name: Name,
    /// Keystone's, without secrets, for people.
    pub address: String,
    /// One of the cloud's, where it has several.
    pub region: Option<String>,
    pub created: Micros,
    /// When how to sign in was last said.
    pub changed: Micros,
}

impl Cloud {
    /// What a desktop's row calls it as a host: no machine's name has a colon.
    pub fn host(&self) -> String {
        format!("{}{}", Self::HOST_PREFIX, self.name)
    }

    pub const HOST_PREFIX: &str = "cloud:";
}

/// What the desktops of a pool are on a cloud, in place of processors, memory, disk and GPU of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudPlace {
    pub cloud: CloudId,
    /// A flavor's id or name.
    pub flavor: String,
    /// A network's id or name; `auto` for what the project has, `none` for no network card.
    pub network: String,
    #[serde(default, skip_serializing_if = "CloudAddress::is_usual")]
    pub address: CloudAddress,
    #[serde(default, skip_serializing_if = "CloudRoot::is_usual")]
    pub root: CloudRoot,
}

/// At which address a desktop is reached. As text `fixed` or `floating from NETWORK`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CloudAddress {
    /// That of its network card.
    #[default]
    Fixed,
    /// One of its own that leads there from an external network, by that one's id or name.
    Floating { network: String },
}

/// What a desktop's disk is. As text `image`, `volume`, or `volume,type=TYPE,size=GIB`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CloudRoot {
    /// On its host, as large as the flavor says, cloned from the image.
    #[default]
    Image,
    /// A volume of Cinder, made of the image with the desktop and deleted with it.
    Volume {
        /// Cinder's name of a type; the project's usual one when left out.
        kind: Option<String>,
        /// As large as the flavor's disk when left out.
        gib: Option<u32>,
    },
}

impl CloudAddress {
    const FLOATING: &str = "floating from ";

    pub fn is_usual(&self) -> bool {
        *self == Self::Fixed
    }
}

impl fmt::Display for CloudAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("fixed"),
            Self::Floating { network } => write!(f, "{}{network}", Self::FLOATING),
        }
    }
}

impl FromStr for CloudAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "fixed" => Ok(Self::Fixed),
            other => match other.strip_prefix(Self::FLOATING).map(str::trim) {
                Some(network) if !network.is_empty() => Ok(Self::Floating { network: network.to_owned() }),
                _ => Err(format!(
                    "{:?} is no address of a cloud's desktops: say fixed, or floating from NETWORK",
                    text.chars().take(80).collect::<String>()
                )),
            },
        }
    }
}

impl CloudRoot {
    /// Largest volume, in GiB.
    pub const GIB_MAX: u32 = 65_536;

    pub fn is_usual(&self) -> bool {
        *self == Self::Image
    }
}

impl fmt::Display for CloudRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Volume { kind, gib } = self else { return f.write_str("image") };
        f.write_str("volume")?;
        if let Some(kind) = kind {
            write!(f, ",type={kind}")?;
        }
        if let Some(gib) = gib {
            write!(f, ",size={gib}")?;
        }
        Ok(())
    }
}

impl FromStr for CloudRoot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |part: &str| {
            format!(
                "{:?} is no disk of a cloud's desktops: say image, volume, or volume,type=TYPE,size=GIB",
                part.chars().take(80).collect::<String>()
            )
        };
        let mut parts = text.split(',').map(str::trim);
        match parts.next() {
            Some("image") if parts.next().is_none() => return Ok(Self::Image),
            Some("volume") => {}
            _ => return Err(wrong(text)),
        }
        let (mut its_kind, mut its_gib) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("type", word)) if !word.is_empty() => its_kind = Some(word.to_owned()),
                Some(("size", word)) => {
                    let size = word.parse::<u32>().ok().filter(|gib| (1..=Self::GIB_MAX).contains(gib));
                    its_gib =
                        Some(size.ok_or_else(|| {
                            format!("{word:?} is no size of a volume: say 1 to {} (GiB)", Self::GIB_MAX)
                        })?);
                }
                _ => return Err(wrong(part)),
            }
        }
        Ok(Self::Volume { kind: its_kind, gib: its_gib })
    }
}

impl TryFrom<String> for CloudAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CloudAddress> for String {
    fn from(address: CloudAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for CloudRoot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CloudRoot> for String {
    fn from(root: CloudRoot) -> Self {
        root.to_string()
    }
}

impl CloudPlace {
    /// Longest flavor and network, in bytes: Nova's and Neutron's names have 255.
    pub const WORD_BYTES_MAX: usize = 255;

    /// # Errors
    /// A sentence: what cannot be a flavor's or a network's name, or does not go together.
    pub fn check(&self) -> Result<(), String> {
        let mut words = vec![("flavor", &self.flavor), ("network", &self.network)];
        if let CloudAddress::Floating { network } = &self.address {
            words.push(("external network", network));
            if self.network == "none" {
                return Err(
                    "a desktop without a network card has nothing that a floating address could lead to".to_owned()
                );
            }
        }
        if let CloudRoot::Volume { kind: Some(kind), .. } = &self.root {
            words.push(("volume type", kind));
        }
        for (what, word) in words {
            if word.is_empty() || word.len() > Self::WORD_BYTES_MAX || word.chars().any(char::is_control) {
                return Err(format!("{word:?} cannot be the name of a cloud's {what}"));
            }
        }
        Ok(())
    }
}

/// Which image of a cloud holds an image's version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudImage {
    pub cloud: CloudId,
    pub image: ImageId,
    /// The cloud's own id of it.
    pub remote: String,
    pub created: Micros,
}

/// What pools may choose of a cloud, as it says at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudOffer {
    /// By name.
    pub flavors: Vec<CloudFlavor>,
    /// By name.
    pub networks: Vec<CloudNetwork>,
}

/// What a desktop is made of there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudFlavor {
    pub id: String,
    pub name: String,
    pub vcpus: u64,
    pub memory_mib: u64,
    pub disk_gib: u64,
    /// What it asks of a GPU, in the cloud's words (`VGPU × 1`); none without one.
    pub gpu: Option<String>,
    /// Servers of it for which GPUs are free; none where it asks for none, or the cloud does not say.
    pub gpus_free: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudNetwork {
    pub id: String,
    pub name: String,
    /// Of somebody else, for everybody.
    pub shared: bool,
    /// Floating addresses come from there; servers seldom stand on it.
    pub external: bool,
}

/// How the last look at a cloud went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudLook {
    pub at: Micros,
    /// Why nothing was seen.
    pub problem: Option<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_disks_are_said_as_they_are_read() {
        for text in ["fixed", "floating from outside", "floating from the other net"] {
            assert_eq!(text.parse::<CloudAddress>().unwrap().to_string(), text);
        }
        for text in ["", "floating", "floating from ", "fixed from outside"] {
            assert!(text.parse::<CloudAddress>().unwrap_err().contains("floating from NETWORK"), "{text}");
        }
        for text in ["image", "volume", "volume,type=ssd", "volume,size=20", "volume,type=Ceph SSD,size=65536"] {
            assert_eq!(text.parse::<CloudRoot>().unwrap().to_string(), text);
        }
        for text in
            ["", "disk", "image,size=2", "volume,", "volume,size=0", "volume,size=65537", "volume,type=", "volume,a=b"]
        {
            text.parse::<CloudRoot>().unwrap_err();
        }
    }

    #[test]
    fn what_was_written_before_there_were_addresses_is_read() {
        let cloud = CloudId::new();
        let text = format!(r#"{{"cloud":"{cloud}","flavor":"m1.small","network":"auto"}}"#);
        let place: CloudPlace = serde_json::from_str(&text).unwrap();
        assert_eq!((&place.address, &place.root), (&CloudAddress::Fixed, &CloudRoot::Image));
        assert_eq!(serde_json::to_string(&place).unwrap(), text);
        let bare = CloudPlace {
            network: "none".to_owned(),
            address: CloudAddress::Floating { network: "outside".to_owned() },
            ..place
        };
        assert!(bare.check().unwrap_err().contains("without a network card"));
    }
}
