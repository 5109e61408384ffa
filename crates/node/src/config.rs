//! What a node is told: one file of TOML. What it does not know it refuses.

use crate::gadget::{GadgetOptions, Identity, Places};
use crate::gpio::{AtxOptions, Line};
use crate::video::{H264Mode, H264Options, VideoOptions, parse_edid};
use oriel_device::{GOP_MAX, KILOBITS};
use serde::Deserialize;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Longest configuration and longest EDID, in bytes.
const CONFIG_BYTES_MAX: u64 = 64 << 10;
const EDID_BYTES_MAX: u64 = 4 << 10;
/// Longest name of a gadget's maker or kind: a string of USB holds 126 characters.
const USB_TEXT_MAX: usize = 126;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is longer than {most} bytes", .path.display())]
    Long { path: PathBuf, most: u64 },
    #[error("{} is no configuration of a node: {source}", .path.display())]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{key} is wrong: {why}")]
    Value { key: &'static str, why: String },
}

/// A node's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What clients are told that it is called.
    #[serde(default = "name")]
    pub name: String,
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// The one folder that is written to: certificate, images.
    #[serde(default = "state")]
    pub state: PathBuf,
    #[serde(default)]
    pub access: Access,
    pub video: Option<VideoPart>,
    pub usb: Option<UsbPart>,
    pub atx: Option<AtxPart>,
}

/// Who may, and what they see of TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub totp_file: Option<PathBuf>,
    pub users_file: Option<PathBuf>,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoPart {
    #[serde(default = "video_device")]
    pub device: PathBuf,
    pub input: Option<u32>,
    /// `1920x1080`, of devices that do not say what comes in.
    pub size: Option<String>,
    pub edid_file: Option<PathBuf>,
    /// Pictures are taken always, and not only while somebody watches.
    #[serde(default)]
    pub keep_picture: bool,
    /// What encodes H.264.
    #[serde(default)]
    pub h264: H264Mode,
    /// Most bits of it, in thousands a second, and pictures from one key frame to the next: until somebody sets others.
    #[serde(default = "kilobits")]
    pub h264_bitrate: u16,
    #[serde(default = "gop")]
    pub h264_gop: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsbPart {
    pub port: Option<String>,
    pub gadget: String,
    pub manufacturer: String,
    pub product: String,
    pub serial: String,
    pub drive: bool,
    /// Whoever uses the node may have it fetch images from any address that it reaches.
    pub fetch: bool,
    /// Most bytes of all images together, in MiB; as many as there is room for when left out.
    pub images_mib: Option<u64>,
}

impl Default for UsbPart {
    fn default() -> Self {
        let Identity { manufacturer, product, serial } = Identity::default();
        Self {
            port: None,
            gadget: "oriel".to_owned(),
            manufacturer,
            product,
            serial,
            drive: true,
            fetch: false,
            images_mib: None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtxPart {
    pub chip: String,
    pub power: Option<Line>,
    pub reset: Option<Line>,
    pub power_light: Option<Line>,
    pub disk_light: Option<Line>,
}

fn name() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(kernel.trim()).filter(|name| !name.is_empty()).unwrap_or("oriel-node").to_owned()
}

fn listen() -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, 443).into()
}

fn state() -> PathBuf {
    "/var/lib/oriel-node".into()
}

/// kvmd's own.
const fn kilobits() -> u16 {
    5000
}

const fn gop() -> u8 {
    30
}

fn video_device() -> PathBuf {
    "/dev/video0".into()
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(failed)?;
    if meta.len() > most {
        return Err(ConfigError::Long { path: path.to_owned(), most });
    }
    fs::read(path).map_err(failed)
}

fn wrong(key: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, why: why.into() }
}

/// `1920x1080`.
fn size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    let fits = |side: u32| (64..=8192).contains(&side);
    (fits(width) && fits(height)).then_some((width, height))
}

/// A folder's name in configfs.
fn is_gadget(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    letters && (1..=64).contains(&name.len())
}

impl Config {
    /// Reads a file, and checks what can be told without the board.
    ///
    /// # Errors
    /// Where it is wrong, and why.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = read(path, CONFIG_BYTES_MAX)?;
        let text = String::from_utf8(bytes).map_err(|error| ConfigError::Read {
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.name.is_empty() || self.name.len() > 255 || self.name.chars().any(char::is_control) {
            return Err(wrong("name", "it has 1 to 255 characters, all visible"));
        }
        if !self.state.is_absolute() {
            return Err(wrong("state", format!("{} does not begin with /", self.state.display())));
        }
        if self.access.tls_certificate.is_some() != self.access.tls_key.is_some() {
            return Err(wrong("access.tls_certificate", "it goes together with access.tls_key, both or neither"));
        }
        if let Some(text) = self.video.as_ref().and_then(|video| video.size.as_deref())
            && size(text).is_none()
        {
            return Err(wrong(
                "video.size",
                format!("{text:?} is none: give one like 1920x1080, sides from 64 to 8192"),
            ));
        }
        if let Some(video) = &self.video {
            if !(KILOBITS.0..=KILOBITS.1).contains(&video.h264_bitrate) {
                let (least, most) = KILOBITS;
                return Err(wrong("video.h264_bitrate", format!("give {least} to {most} thousand bits a second")));
            }
            if video.h264_gop > GOP_MAX {
                return Err(wrong("video.h264_gop", format!("give 0 to {GOP_MAX} pictures")));
            }
        }
        if let Some(usb) = &self.usb {
            if !is_gadget(&usb.gadget) {
                return Err(wrong("usb.gadget", "it is made of 1 to 64 letters, digits, - and _"));
            }
            for (key, text) in
                [("usb.manufacturer", &usb.manufacturer), ("usb.product", &usb.product), ("usb.serial", &usb.serial)]
            {
                let fits = (1..=USB_TEXT_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
                if !fits {
                    return Err(wrong(key, format!("it has 1 to {USB_TEXT_MAX} characters, all visible")));
                }
            }
            if usb.port.as_ref().is_some_and(|port| port.is_empty() || port.contains('/')) {
                return Err(wrong("usb.port", "it is the name of a folder in /sys/class/udc"));
            }
        }
        if let Some(atx) = &self.atx {
            let lines = [&atx.power, &atx.reset, &atx.power_light, &atx.disk_light];
            let mut numbers: Vec<u32> = lines.into_iter().flatten().map(|line| line.number).collect();
            if numbers.is_empty() {
                return Err(wrong("atx", "it names no line: power, reset, power_light or disk_light"));
            }
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            if numbers.len() != count {
                return Err(wrong("atx", "two wires are on one line of the chip"));
            }
        }
        Ok(())
    }

    /// Where images lie.
    pub fn images(&self) -> PathBuf {
        self.state.join("images")
    }

    /// Where a certificate of its own is kept.
    pub fn certificate_folder(&self) -> PathBuf {
        self.state.join("tls")
    }

    /// Most bytes of all images together.
    pub fn images_bytes_max(&self) -> u64 {
        let mib = self.usb.as_ref().and_then(|usb| usb.images_mib);
        mib.map_or(u64::MAX, |mib| mib.saturating_mul(1 << 20))
    }

    /// Whether images are fetched from addresses.
    pub fn fetches(&self) -> bool {
        self.usb.as_ref().is_some_and(|usb| usb.drive && usb.fetch)
    }

    /// Whether pictures are taken while nobody watches.
    pub fn keeps_picture(&self) -> bool {
        self.video.as_ref().is_some_and(|video| video.keep_picture)
    }

    /// What is to be captured; reads the EDID.
    ///
    /// # Errors
    /// The EDID cannot be read, or is none.
    pub fn video(&self) -> Result<Option<VideoOptions>, ConfigError> {
        let Some(video) = &self.video else { return Ok(None) };
        let edid = video.edid_file.as_deref().map(|path| {
            let file = read(path, EDID_BYTES_MAX)?;
            parse_edid(&file).map_err(|why| wrong("video.edid_file", format!("{}: {why}", path.display())))
        });
        Ok(Some(VideoOptions {
            device: video.device.clone(),
            input: video.input,
            size: video.size.as_deref().and_then(size),
            edid: edid.transpose()?,
        }))
    }

    /// How H.264 is encoded; `None`: it is not.
    pub fn h264(&self) -> Option<H264Options> {
        let video = self.video.as_ref().filter(|video| video.h264 != H264Mode::Off)?;
        Some(H264Options { mode: video.h264, kilobits: video.h264_bitrate, gop: video.h264_gop })
    }

    pub fn gadget(&self) -> Option<GadgetOptions> {
        let usb = self.usb.as_ref()?;
        Some(GadgetOptions {
            places: Places::default(),
            name: usb.gadget.clone(),
            port: usb.port.clone(),
            identity: Identity {
                manufacturer: usb.manufacturer.clone(),
                product: usb.product.clone(),
                serial: usb.serial.clone(),
            },
            drive: usb.drive,
        })
    }

    pub fn atx(&self) -> Option<AtxOptions> {
        let atx = self.atx.as_ref()?;
        Some(AtxOptions {
            chip: atx.chip.clone(),
            power: atx.power,
            reset: atx.reset,
            power_light: atx.power_light,
            disk_light: atx.disk_light,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
name = "rack-3"
listen = "[::]:8443"
state = "/data/node"

[access]
user = "ada"
password_file = "/etc/oriel/node-password"

[video]
device = "/dev/video2"
input = 3
size = "1920x1080"
keep_picture = true
h264 = "hardware"
h264_bitrate = 8000

[usb]
product = "Console"
images_mib = 4096

[atx]
chip = "pinctrl-bcm2711"
power = { line = 23 }
reset = { line = 27 }
power_light = { line = 24, active_low = true, bias = "pull-up" }
"#;

    fn of(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Config::read(file.path())
    }

    #[test]
    fn a_file_says_all_of_it() {
        let config = of(WHOLE).unwrap();
        assert_eq!(
            (config.name.as_str(), config.listen.port(), config.access.user.as_deref()),
            ("rack-3", 8443, Some("ada"))
        );
        assert_eq!(config.images(), Path::new("/data/node/images"));
        assert_eq!(config.images_bytes_max(), 4 << 30);
        let video = config.video().unwrap().unwrap();
        assert_eq!((video.input, video.size, video.edid), (Some(3), Some((1920, 1080)), None));
        let h264 = H264Options { mode: H264Mode::Hardware, kilobits: 8000, gop: 30 };
        assert_eq!(config.h264(), Some(h264));
        assert_eq!(of("[video]\nh264 = \"off\"").unwrap().h264(), None);
        let gadget = config.gadget().unwrap();
        assert_eq!((gadget.name.as_str(), gadget.identity.product.as_str(), gadget.drive), ("oriel", "Console", true));
        let atx = config.atx().unwrap();
        assert_eq!((atx.power.map(|line| line.number), atx.disk_light), (Some(23), None));
        // Nothing at all is a configuration, too: of a node without wires.
        let empty = of("").unwrap();
        assert!(empty.video().unwrap().is_none() && empty.gadget().is_none() && empty.atx().is_none());
        assert!(empty.state.is_absolute() && !empty.name.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("nmae = \"x\"", "nmae"),
            ("[video]\ndevise = \"/dev/video0\"", "devise"),
            ("[usb]\nports = \"x\"", "ports"),
            ("[atx]\nchip = \"gpiochip0\"", "no line"),
            ("[atx]\nchip = \"a\"\npower = { line = 1 }\nreset = { line = 1 }", "one line"),
            ("[atx]\nchip = \"a\"\npower = { line = 1, bias = \"up\" }", "bias"),
            ("[atx]\npower = { line = 1 }", "chip"),
            ("[video]\nsize = \"big\"", "video.size"),
            ("[video]\nh264 = \"sometimes\"", "sometimes"),
            ("[video]\nh264_bitrate = 24", "video.h264_bitrate"),
            ("[video]\nh264_gop = 61", "video.h264_gop"),
            ("[usb]\ngadget = \"../x\"", "usb.gadget"),
            ("[usb]\nproduct = \"\"", "usb.product"),
            ("state = \"here\"", "state"),
            ("name = \"\"", "name"),
            ("listen = \"443\"", "listen"),
            ("[access]\ntls_key = \"/k\"", "tls_certificate"),
        ] {
            let error = of(text).unwrap_err();
            let whole = format!("{error}");
            assert!(whole.contains(word), "{text}: {whole}");
        }
        let edid = of("[video]\nedid_file = \"/nonexistent/edid\"").unwrap().video().unwrap_err();
        assert!(edid.to_string().contains("/nonexistent/edid"), "{edid}");
    }
}
