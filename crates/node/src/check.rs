//! What this board can do of what its configuration asks, and why it cannot.

use crate::config::Config;
use crate::gadget;
use crate::gpio::{self, Chip, Line};
use crate::video::{Device, H264Mode, Pixels, Signal, VideoOptions, find, name_of};
use oriel_model::{Finding, FindingEvidence, Severity};
use std::fs;
use std::path::Path;

const V4L2: &str = "https://docs.kernel.org/userspace-api/media/v4l/v4l2.html";
const GADGETS: &str = "https://docs.kernel.org/usb/gadget_configfs.html";
const GPIO: &str = "https://docs.kernel.org/userspace-api/gpio/chardev.html";
const HERE: &str = "docs/node.md";
const ENCODER: &str = "https://docs.kernel.org/userspace-api/media/v4l/dev-encoder.html";

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, id: &str, severity: Severity, (path, seen): (&str, String), reason: String, fix: &str) {
        let source = match id {
            "video" | "signal" | "edid" => V4L2,
            "usb" | "usb-port" => GADGETS,
            "atx" => GPIO,
            "h264" => ENCODER,
            _ => HERE,
        };
        self.0.push(Finding {
            id: id.to_owned(),
            severity,
            subject: "node".to_owned(),
            evidence: vec![FindingEvidence { path: path.to_owned(), content: seen }],
            reason,
            fix: fix.to_owned(),
            source: source.to_owned(),
        });
    }

    fn good(&mut self, id: &str, path: &str, reason: String) {
        self.add(id, Severity::Ok, (path, String::new()), reason, "");
    }
}

/// Looks at everything that the configuration names, and changes nothing. A node that runs meanwhile goes on. What encodes H.264 is found out by encoding a little. To
/// be called within a runtime.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    state(&mut findings, config);
    match config.video() {
        Ok(Some(options)) => video(&mut findings, &options),
        Ok(None) => {
            let seen = ("video", String::new());
            findings.add(
                "video",
                Severity::Note,
                seen,
                "no video device is configured: there is no picture".to_owned(),
                "",
            );
        }
        Err(error) => {
            let seen = ("video.edid_file", String::new());
            findings.add(
                "edid",
                Severity::Error,
                seen,
                error.to_string(),
                "name a file with a whole EDID, or leave edid_file out",
            );
        }
    }
    h264(&mut findings, config).await;
    usb(&mut findings, config);
    atx(&mut findings, config);
    findings.0
}

fn state(findings: &mut Findings, config: &Config) {
    let folder = config.state.display().to_string();
    // The folder or what it will be made in.
    let there = config.state.ancestors().find(|folder| folder.exists()).unwrap_or_else(|| Path::new("/"));
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        let reason = format!("{folder} cannot be written to: certificate and images have no place");
        let fix = "mount something that can be written to there, or name another folder as state";
        findings.add("state", Severity::Error, (&folder, String::new()), reason, fix);
    } else {
        findings.good("state", &folder, format!("{folder} keeps the certificate and images"));
    }
}

fn video(findings: &mut Findings, options: &VideoOptions) {
    let path = options.device.display().to_string();
    let device = match Device::open(&options.device) {
        Ok(device) => device,
        Err(error) => {
            let fix = "plug the capture device in and name its file as video.device; `v4l2-ctl --list-devices` of Debian's v4l-utils lists them";
            findings.add("video", Severity::Error, (&path, String::new()), error.to_string(), fix);
            return;
        }
    };
    let plugs = device.plugs();
    let chosen = options.input.unwrap_or_else(|| device.plug());
    let names: Vec<String> = plugs.iter().map(|plug| format!("{} {}", plug.index, plug.name)).collect();
    let Some(plug) = plugs.iter().find(|plug| plug.index == chosen) else {
        let reason = format!("{} has no input {chosen}", device.card);
        findings.add(
            "video",
            Severity::Error,
            (&path, names.join(", ")),
            reason,
            "name one of its inputs as video.input",
        );
        return;
    };
    let formats = device.formats();
    let listed: Vec<String> = formats.iter().map(|name| name_of(*name)).collect();
    match Pixels::best(&formats) {
        Some((name, Pixels::Jpeg)) => {
            let reason = format!("{} gives {}, which is passed on as it is", device.card, name_of(name));
            findings.good("video", &path, reason);
        }
        Some((name, _)) => {
            let reason =
                format!("{} gives {}, which is encoded as JPEG here: that costs CPU time", device.card, name_of(name));
            findings.good("video", &path, reason);
        }
        None => {
            let reason = format!("{} gives no format that Oriel reads (MJPG, YUYV, UYVY, BGR3, RGB3)", device.card);
            let fix =
                "take another capture device; of some, the driver of the bridge has to be told the format (media-ctl)";
            findings.add("video", Severity::Error, (&path, listed.join(", ")), reason, fix);
            return;
        }
    }
    if !plug.has_timings {
        return;
    }
    // Asked only of the input that is chosen: choosing another one would change something.
    if device.plug() != chosen {
        let reason =
            format!("input {chosen} ({}) is not chosen yet, so that what comes in cannot be asked for", plug.name);
        findings.add("signal", Severity::Note, (&path, names.join(", ")), reason, "");
        return;
    }
    match device.signal() {
        Ok(Signal::Timings(timings)) => {
            let reason =
                format!("{}x{} at {} Hz comes in at {}", timings.width, timings.height, timings.rate(), plug.name);
            findings.good("signal", &path, reason);
        }
        Ok(_) => {
            let reason = format!("nothing comes in at {}", plug.name);
            let fix = "plug the machine's cable in and switch it on; while no node runs, an input without an EDID shows machines no screen";
            findings.add("signal", Severity::Warning, (&path, String::new()), reason, fix);
        }
        Err(error) => findings.add(
            "signal",
            Severity::Warning,
            (&path, error.to_string()),
            "what comes in cannot be asked for".to_owned(),
            "",
        ),
    }
    if device.edid().is_none() && options.edid.is_none() {
        let reason = format!(
            "{} tells machines of no screen yet: a node gives it one of 1280x720 and 1920x1080, or what video.edid_file says",
            plug.name
        );
        findings.add("edid", Severity::Note, (&path, String::new()), reason, "");
    }
}

async fn h264(findings: &mut Findings, config: &Config) {
    let Some(video) = &config.video else { return };
    let Some(options) = config.h264() else {
        let seen = ("video.h264", "off".to_owned());
        findings.add("h264", Severity::Note, seen, "no H.264 is encoded: browsers get JPEGs".to_owned(), "");
        return;
    };
    let found = find(options.mode).await;
    let mut why: Vec<String> = found.failed.iter().map(|(coder, why)| format!("{}: {why}", coder.name)).collect();
    // The same of several kinds of pixels.
    why.dedup();
    let why = why.join("; ");
    let seen = ("ffmpeg", why.clone());
    let Some(coder) = found.coders.first() else {
        let reason = "nothing encodes H.264 here: browsers get JPEGs, which are some ten times as large".to_owned();
        let fix = match video.h264 {
            H264Mode::Hardware => {
                "load the driver of the board's encoder (on a Raspberry Pi bcm2835-codec, of Raspberry Pi OS's kernel) and install ffmpeg, or set video.h264 = \"auto\""
            }
            _ => "install ffmpeg, 5.1 or newer (apt install ffmpeg), or set video.h264 = \"off\"",
        };
        // What was asked for by name is to be there.
        let asked = matches!(video.h264, H264Mode::Hardware | H264Mode::Software);
        let severity = if asked { Severity::Error } else { Severity::Warning };
        findings.add("h264", severity, seen, reason, fix);
        return;
    };
    if coder.hardware {
        findings.add("h264", Severity::Ok, seen, format!("{} encodes H.264 in hardware", coder.name), "");
        return;
    }
    let others = if why.is_empty() { why } else { format!(" ({why})") };
    let reason =
        format!("{} encodes H.264 in software: that costs CPU time while somebody watches{others}", coder.name);
    findings.add("h264", Severity::Ok, seen, reason, "");
}

fn usb(findings: &mut Findings, config: &Config) {
    let Some(options) = config.gadget() else {
        let seen = ("usb", String::new());
        findings.add(
            "usb",
            Severity::Note,
            seen,
            "no USB port is configured: no keys, no mouse, no drive".to_owned(),
            "",
        );
        return;
    };
    let gadgets = options.places.gadgets.display().to_string();
    if options.places.gadgets.is_dir() {
        findings.good("usb", &gadgets, "the kernel makes USB gadgets".to_owned());
    } else {
        let reason = "the kernel makes no USB gadgets".to_owned();
        let fix = "modprobe libcomposite\nmount -t configfs none /sys/kernel/config";
        findings.add("usb", Severity::Error, (&gadgets, "not there".to_owned()), reason, fix);
    }
    let ports = options.places.ports.display().to_string();
    let there: Vec<String> = fs::read_dir(&options.places.ports)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let found = options.port.clone().filter(|port| there.contains(port));
    let found = if options.port.is_some() { found } else { gadget::first(&options.places.ports) };
    match found {
        Some(port) => {
            let state = fs::read_to_string(options.places.ports.join(&port).join("state")).unwrap_or_default();
            let reason = format!("the port {port} can be a device's; it is {}", state.trim());
            findings.good("usb-port", &ports, reason);
        }
        None => {
            let reason = match &options.port {
                Some(port) => format!("there is no USB device controller {port}"),
                None => "no USB port of this board can be a device's".to_owned(),
            };
            let fix = "a board with an OTG port is needed, and its driver as a device's: on a Raspberry Pi `dtoverlay=dwc2,dr_mode=peripheral` in config.txt, then start it anew";
            findings.add("usb-port", Severity::Error, (&ports, there.join(", ")), reason, fix);
        }
    }
}

fn atx(findings: &mut Findings, config: &Config) {
    let Some(options) = config.atx() else {
        let seen = ("atx", String::new());
        findings.add("atx", Severity::Note, seen, "no wires to buttons and lights are configured".to_owned(), "");
        return;
    };
    let chip = match Chip::open(&options.chip) {
        Ok(chip) => chip,
        Err(error) => {
            let there: Vec<String> =
                gpio::chips().iter().map(|(path, label)| format!("{} {label}", path.display())).collect();
            let fix = "name one of those as atx.chip, by its path or its label";
            findings.add("atx", Severity::Error, ("/dev/gpiochip*", there.join(", ")), error.to_string(), fix);
            return;
        }
    };
    let wires = [
        ("power", options.power),
        ("reset", options.reset),
        ("power_light", options.power_light),
        ("disk_light", options.disk_light),
    ];
    let beyond = |line: Option<Line>| line.is_some_and(|line| line.number >= chip.lines);
    if let Some((name, _)) = wires.iter().find(|(_, line)| beyond(*line)) {
        let reason = format!("atx.{name} is a line that {} does not have", chip.label);
        let seen = (options.chip.as_str(), format!("{} lines", chip.lines));
        findings.add("atx", Severity::Error, seen, reason, "name a line below that number");
        return;
    }
    let named: Vec<&str> = wires.iter().filter(|(_, line)| line.is_some()).map(|(name, _)| *name).collect();
    findings.good("atx", &options.chip, format!("{} has the lines of {}", chip.label, named.join(", ")));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_machine_without_any_of_it_is_told_what_is_missing() {
        let text = "state = \"/tmp\"\n[video]\ndevice = \"/nonexistent/video\"\nh264 = \"hardware\"\n[usb]\nport = \"none.0\"\n[atx]\nchip = \"nothing\"\npower = { line = 1 }";
        let config: Config = toml::from_str(text).unwrap();
        let found = check(&config).await;
        for (id, severity) in [
            ("state", Severity::Ok),
            ("video", Severity::Error),
            // No machine that runs tests has one.
            ("h264", Severity::Error),
            ("usb-port", Severity::Error),
            ("atx", Severity::Error),
        ] {
            let finding = found.iter().find(|finding| finding.id == id).unwrap();
            assert_eq!(finding.severity, severity, "{finding:?}");
            assert!(severity == Severity::Ok || !finding.fix.is_empty(), "{finding:?}");
        }
        let bare: Config = toml::from_str("state = \"/tmp\"").unwrap();
        assert!(check(&bare).await.iter().all(|finding| finding.severity <= Severity::Note));
    }
}
