//! GPUs as every room names them: addresses, modes, what a pool asks for, what a desktop holds.

use crate::{DesktopId, GpuClaimId, Micros};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a PCI function sits: `0000:41:00.0` (domain, bus, device, function; hexadecimal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    pub domain: u32,
    pub bus: u8,
    pub device: u8,
    pub function: u8,
}

impl PciAddress {
    /// The address without the function, `0000:41:00`: what functions of one card share.
    pub fn slot(self) -> String {
        format!("{:04x}:{:02x}:{:02x}", self.domain, self.bus, self.device)
    }

    pub fn same_slot(self, other: Self) -> bool {
        (self.domain, self.bus, self.device) == (other.domain, other.bus, other.device)
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a PCI address; write it like 0000:41:00.0 or 41:00.0, as `oriel gpu list` does")]
pub struct PciAddressError(pub String);

impl FromStr for PciAddress {
    type Err = PciAddressError;

    /// With or without the domain, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || PciAddressError(text.chars().take(40).collect());
        let hex = |part: &str, digits: std::ops::RangeInclusive<usize>| {
            (digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .then(|| u32::from_str_radix(part, 16).ok())
                .flatten()
                .ok_or_else(wrong)
        };
        let (rest, function) = text.trim().rsplit_once('.').ok_or_else(wrong)?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (domain, bus, device) = match parts.as_slice() {
            [domain, bus, device] => (hex(domain, 4..=8)?, *bus, *device),
            [bus, device] => (0, *bus, *device),
            _ => return Err(wrong()),
        };
        let (bus, device, function) = (hex(bus, 2..=2)?, hex(device, 2..=2)?, hex(function, 1..=1)?);
        if device > 0x1f || function > 7 {
            return Err(wrong());
        }
        Ok(Self { domain, bus: bus as u8, device: device as u8, function: function as u8 })
    }
}

impl Serialize for PciAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PciAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a GPU is called. Most are PCI functions; a parent of mediated devices need not be one (the kernel's sample drivers).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GpuAddress {
    Pci(PciAddress),
    /// The name in `/sys/class/mdev_bus`, `mbochs`.
    Device(String),
}

impl GpuAddress {
    pub fn pci(&self) -> Option<PciAddress> {
        match self {
            Self::Pci(address) => Some(*address),
            Self::Device(_) => None,
        }
    }
}

impl fmt::Display for GpuAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Device(name) => f.write_str(name),
        }
    }
}

impl FromStr for GpuAddress {
    type Err = PciAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains([':', '.']) {
            return text.parse().map(Self::Pci);
        }
        // A name below /sys, never a path.
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(good) {
            return Err(PciAddressError(text.chars().take(40).collect()));
        }
        Ok(Self::Device(text.to_owned()))
    }
}

impl Serialize for GpuAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GpuAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a GPU is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuMode {
    /// VFIO passthrough of all its functions (vDGA, GVT-d).
    Whole,
    /// Slices through mediated devices or vendor VFIO (NVIDIA GRID/vGPU, Intel GVT-g).
    Vgpu,
    /// SR-IOV virtual functions (AMD MxGPU, Intel).
    Vf,
    /// The host keeps it and renders for guests through virtio-gpu (vSGA, GVT-s).
    Shared,
    /// The host keeps it for itself.
    Host,
}

impl GpuMode {
    pub const ALL: [Self; 5] = [Self::Whole, Self::Vgpu, Self::Vf, Self::Shared, Self::Host];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Vgpu => "vgpu",
            Self::Vf => "vf",
            Self::Shared => "shared",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for GpuMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for GpuMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.word() == text)
            .ok_or_else(|| format!("`{text}` is no GPU mode; it is one of whole, vgpu, vf, shared, host"))
    }
}

/// A GPU's mode as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuSwitch {
    pub gpu: GpuAddress,
    pub mode: GpuMode,
    /// The profile's key, for `vgpu`: the only one that desktops may have of this card; any when left out.
    #[serde(default)]
    pub profile: Option<String>,
    /// Slices to make at once, or virtual functions. Left out, a slice is made when its desktop starts, and there are as many
    /// virtual functions as there can be.
    #[serde(default)]
    pub count: Option<u32>,
    /// Slices of several sizes beside each other, where the vendor has that (NVIDIA; fewer of each).
    #[serde(default)]
    pub mixed: bool,
    /// Takes the card even though the host's console is on it.
    #[serde(default)]
    pub force: bool,
    /// No desktop needs the card's slices any more: those that exist are removed.
    #[serde(default)]
    pub drained: bool,
}

impl GpuSwitch {
    pub fn new(gpu: GpuAddress, mode: GpuMode) -> Self {
        Self { gpu, mode, profile: None, count: None, mixed: false, force: false, drained: false }
    }
}

/// Which card is chosen among those that have room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuPlacement {
    /// As many desktops as possible, now and later: cards are filled one after the other.
    #[default]
    Density,
    /// As few neighbours on a card as possible, as long as that takes no card from others.
    Performance,
}

impl GpuPlacement {
    pub const ALL: [Self; 2] = [Self::Density, Self::Performance];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::Performance => "performance",
        }
    }
}

impl FromStr for GpuPlacement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let explicit =
            "explicit is said by naming the cards: cards=0000:41:00.0+0000:42:00.0 in the pool's GPU request";
        if text == "explicit" {
            return Err(explicit.to_owned());
        }
        Self::ALL
            .into_iter()
            .find(|placement| placement.word() == text)
            .ok_or_else(|| format!("{text:?} is no placement of GPUs; choose density or performance ({explicit})"))
    }
}

/// What each desktop of a pool gets: `gpu = { mode, profile | min_framebuffer_mib, count, vendor, placement | cards }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuRequest {
    #[serde(default)]
    pub mode: GpuWish,
    /// A profile's key, `M60-2Q`; excludes `min_framebuffer_mib`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_framebuffer_mib: Option<u64>,
    /// Units for one desktop, all of one kind and on one host.
    #[serde(default = "one")]
    pub count: u32,
    /// `nvidia`, `amd`, `intel`, or a PCI vendor id such as `10de`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// As the configuration says (`gpu_placement`) when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<GpuPlacement>,
    /// These cards, in this order, and no others: the placement is explicit. Any card when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<GpuAddress>,
}

const fn one() -> u32 {
    1
}

impl Default for GpuRequest {
    fn default() -> Self {
        Self {
            mode: GpuWish::Auto,
            profile: None,
            min_framebuffer_mib: None,
            count: 1,
            vendor: None,
            placement: None,
            cards: Vec::new(),
        }
    }
}

impl GpuRequest {
    /// Most units that one desktop may hold.
    pub const COUNT_MAX: u32 = 16;
    /// Most cards that a pool may name.
    pub const CARDS_MAX: usize = 64;
    /// Longest profile or vendor, in characters.
    pub const WORD_MAX: usize = 64;
    pub const FRAMEBUFFER_MIB_MAX: u64 = 4 << 20;

    /// Whether it makes sense by itself, whatever cards there are. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=Self::COUNT_MAX).contains(&self.count) {
            return Err(format!("a desktop cannot hold {} GPU units; ask for 1 to {}", self.count, Self::COUNT_MAX));
        }
        if self.profile.is_some() && self.min_framebuffer_mib.is_some() {
            return Err("a GPU request names a profile or a least framebuffer, not both: leave one out".to_owned());
        }
        if self.profile.is_some() && matches!(self.mode, GpuWish::Whole | GpuWish::Shared) {
            return Err(format!("mode {} has no profiles: leave the profile out, or choose vgpu", self.mode.word()));
        }
        if self.min_framebuffer_mib.is_some_and(|mib| mib == 0 || mib > Self::FRAMEBUFFER_MIB_MAX) {
            return Err(format!("a framebuffer has 1 to {} MiB", Self::FRAMEBUFFER_MIB_MAX));
        }
        if self.placement.is_some() && !self.cards.is_empty() {
            return Err("a GPU request names a placement or the cards, not both: leave one out".to_owned());
        }
        if self.cards.len() > Self::CARDS_MAX {
            return Err(format!("a pool can name {} cards at most", Self::CARDS_MAX));
        }
        if self.cards.iter().enumerate().any(|(at, card)| self.cards.iter().take(at).any(|other| other == card)) {
            return Err("a card is named twice: name each once, the preferred first".to_owned());
        }
        let word = |text: &String| {
            let good = |c: char| c.is_ascii_alphanumeric() || " ._+-".contains(c);
            !text.is_empty() && text.len() <= Self::WORD_MAX && text.chars().all(good)
        };
        for text in [&self.profile, &self.vendor].into_iter().flatten() {
            if !word(text) {
                return Err(format!(
                    "{:?} is no name of a profile or a vendor",
                    text.chars().take(40).collect::<String>()
                ));
            }
        }
        Ok(())
    }
}

/// As it is written on a command line: `vgpu,profile=M60-2Q`, `min_framebuffer_mib=2048,count=2`.
impl fmt::Display for GpuRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode.word())?;
        if let Some(profile) = &self.profile {
            write!(f, ",profile={profile}")?;
        }
        if let Some(mib) = self.min_framebuffer_mib {
            write!(f, ",min_framebuffer_mib={mib}")?;
        }
        if self.count != 1 {
            write!(f, ",count={}", self.count)?;
        }
        if let Some(vendor) = &self.vendor {
            write!(f, ",vendor={vendor}")?;
        }
        if let Some(placement) = self.placement {
            write!(f, ",placement={}", placement.word())?;
        }
        for (at, card) in self.cards.iter().enumerate() {
            write!(f, "{}{card}", if at == 0 { ",cards=" } else { "+" })?;
        }
        Ok(())
    }
}

impl FromStr for GpuRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut request = Self::default();
        for part in text.split(',').map(str::trim) {
            let number = |value: &str| value.parse().map_err(|_| format!("{value:?} in {part:?} is no number"));
            match part.split_once('=') {
                None => request.mode = part.parse()?,
                Some(("mode", value)) => request.mode = value.parse()?,
                Some(("profile", value)) => request.profile = Some(value.to_owned()),
                Some(("min_framebuffer_mib", value)) => request.min_framebuffer_mib = Some(number(value)?),
                Some(("count", value)) => {
                    request.count = number(value)?.try_into().map_err(|_| format!("{value} units are too many"))?;
                }
                Some(("vendor", value)) => request.vendor = Some(value.to_owned()),
                Some(("placement", value)) => request.placement = Some(value.parse()?),
                Some(("cards", value)) => {
                    let cards =
                        value.split('+').map(|card| card.parse::<GpuAddress>().map_err(|error| error.to_string()));
                    request.cards = cards.collect::<Result<_, _>>()?;
                }
                Some((key, _)) => {
                    return Err(format!(
                        "{key:?} is no part of a GPU request; write it like vgpu,profile=M60-2Q or \
                         min_framebuffer_mib=2048,count=1,vendor=nvidia,placement=performance, or whole,cards=0000:41:00.0+0000:42:00.0"
                    ));
                }
            }
        }
        request.check()?;
        Ok(request)
    }
}

/// The mode that a pool asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuWish {
    /// Shared before slice before whole, by what satisfies the request.
    #[default]
    Auto,
    Whole,
    Vgpu,
    Vf,
    Shared,
}

impl GpuWish {
    pub const ALL: [Self; 5] = [Self::Auto, Self::Whole, Self::Vgpu, Self::Vf, Self::Shared];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Whole => "whole",
            Self::Vgpu => "vgpu",
            Self::Vf => "vf",
            Self::Shared => "shared",
        }
    }
}

impl FromStr for GpuWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|wish| wish.word() == text)
            .ok_or_else(|| format!("{text:?} is no GPU mode; ask for auto, whole, vgpu, vf or shared"))
    }
}

/// One thing that a desktop holds of a GPU.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GpuUnit {
    /// All functions of a slot, the GPU's own first.
    Whole {
        functions: Vec<PciAddress>,
    },
    /// A mediated device, made for the desktop and removed after it.
    Mdev {
        uuid: uuid::Uuid,
        parent: GpuAddress,
        type_id: String,
    },
    /// A virtual function that carries an NVIDIA vGPU through the vendor's VFIO interface (kernel 6.8 and later).
    VendorVf {
        address: PciAddress,
        type_id: u32,
    },
    Vf {
        address: PciAddress,
    },
    /// A seat at a GPU that the host keeps.
    Shared {
        render_node: String,
    },
}

/// A unit, whose, and where: one claim of a desktop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GpuHold {
    /// The physical GPU.
    pub gpu: GpuAddress,
    pub mode: GpuMode,
    /// The profile's key; `None` for `whole` and `shared`.
    pub profile: Option<String>,
    /// The card's slots that it takes, ascending: with the host and the GPU they are unique in the database.
    pub slots: Vec<u8>,
    pub unit: GpuUnit,
}

/// A desktop's right to a unit, from before its machine is made until the unit was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuClaim {
    pub id: GpuClaimId,
    pub desktop: DesktopId,
    /// Which of the desktop's units, from 0.
    pub ordinal: u32,
    pub host: String,
    pub hold: GpuHold,
    /// The version that the card had after this claim: larger than that of every claim before it.
    pub fence: u64,
    /// Unless renewed, a claim of a desktop that does not run ends here.
    pub leased_until: Micros,
    pub created: Micros,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let address: PciAddress = "0000:41:00.0".parse().unwrap();
        assert_eq!("41:00.0".parse(), Ok(address));
        assert_eq!("10000:E1:1f.7".parse::<PciAddress>().unwrap().to_string(), "10000:e1:1f.7");
        for wrong in ["", "41:00", "0000:41:20.0", "0000:41:00.8", "41:00.0.0", "x:41:00.0", "0000:411:00.0", "+1:00.0"]
        {
            assert!(wrong.parse::<PciAddress>().is_err(), "{wrong}");
        }
        assert_eq!("mbochs".parse(), Ok(GpuAddress::Device("mbochs".into())));
        assert!("../etc".parse::<GpuAddress>().is_err());
    }

    #[test]
    fn a_request_may_be_short() {
        let request: GpuRequest = serde_json::from_str(r#"{"min_framebuffer_mib":2048}"#).unwrap();
        assert_eq!((request.mode, request.count), (GpuWish::Auto, 1));
        for text in [
            "auto",
            "vgpu,profile=M60-2Q,placement=performance",
            "auto,min_framebuffer_mib=2048,count=2,vendor=nvidia",
            "whole,cards=0000:41:00.0+mbochs",
        ] {
            assert_eq!(text.parse::<GpuRequest>().unwrap().to_string(), text);
        }
        assert_eq!("profile=M60-2Q".parse::<GpuRequest>().unwrap().to_string(), "auto,profile=M60-2Q");
        for wrong in
            ["", "some", "whole,profile=M60-2Q", "count=0", "count=x", "colour=red", "profile=a;b"].into_iter().chain([
                "placement=explicit",
                "placement=x",
                "cards=",
                "cards=mbochs+mbochs",
                "placement=density,cards=mbochs",
            ])
        {
            assert!(wrong.parse::<GpuRequest>().is_err(), "{wrong}");
        }
    }
}
