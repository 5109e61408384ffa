//! What is known of a machine by its BMC's resources (`ComputerSystem`, `Manager`, `VirtualMedia`). No I/O: any JSON is read.

use super::told::words;
use super::wire::is_path;
use crate::state::{DeviceKind, Overview, Power};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// Texts of a list that are kept.
const TEXTS_MAX: usize = 32;

/// Resources as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub root: Arc<Value>,
    /// Of the system.
    pub path: String,
    pub system: Arc<Value>,
    /// What a resource of its own says of the reset action.
    pub action: Arc<Value>,
    pub manager: Arc<Value>,
    /// Paths and drives.
    pub media: Vec<(String, Arc<Value>)>,
}

/// A machine as its BMC describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Board {
    /// Its id among the systems of the BMC.
    pub system: String,
    pub serial: Option<String>,
    /// Version of its firmware.
    pub bios: Option<String>,
    /// `OK`, `Warning`, `Critical`.
    pub health: Option<String>,
    /// In the BMC's words: `On`, `Off`, `PoweringOn`.
    pub power_state: Option<String>,
    /// Values of the reset action that it takes; none: it did not say.
    pub resets: Option<Vec<String>>,
    pub consoles: Vec<Console>,
    pub media: Vec<Medium>,
    pub boot: Option<Boot>,
}

/// A way to a console that the BMC has, for people who reach it themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Console {
    /// `graphical`, `serial` or `command`.
    pub kind: &'static str,
    /// `KVMIP`, `SSH`, `IPMI`, …
    pub ways: Vec<String>,
    /// It is switched on.
    pub enabled: bool,
}

/// A virtual drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Medium {
    pub id: String,
    /// `CD`, `DVD`, `USBStick`, `Floppy`.
    pub kinds: Vec<String>,
    /// Where what is in it comes from.
    pub image: Option<String>,
    pub inserted: bool,
}

/// What the machine starts from next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Boot {
    /// In the BMC's words: `Cd`, `Pxe`; none: as its firmware is set.
    pub target: Option<String>,
    /// For one start alone.
    pub once: bool,
    /// What it takes; empty: it did not say.
    pub targets: Vec<String>,
}

/// What a machine is to start from, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootOnce {
    Cd,
    Pxe,
    Disk,
    Usb,
    /// The setup of its firmware.
    Setup,
    /// As it is set: what was wished is taken back.
    Normal,
}

impl BootOnce {
    /// Values of `BootSourceOverrideTarget`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Cd => "Cd",
            Self::Pxe => "Pxe",
            Self::Disk => "Hdd",
            Self::Usb => "Usb",
            Self::Setup => "BiosSetup",
            Self::Normal => "None",
        }
    }

    /// Whether a BMC that takes these takes it; one that did not say is believed to take all.
    pub fn is_among(self, targets: &[String]) -> bool {
        targets.is_empty() || self == Self::Normal || targets.iter().any(|one| one == self.word())
    }
}

pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    let text = words(value.pointer(pointer)?.as_str()?);
    (!text.is_empty()).then_some(text)
}

fn flag(value: &Value, pointer: &str) -> Option<bool> {
    value.pointer(pointer)?.as_bool()
}

pub(super) fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    let list = value?.as_array()?;
    Some(list.iter().take(TEXTS_MAX).filter_map(Value::as_str).map(words).filter(|text| !text.is_empty()).collect())
}

/// A path that a resource names.
pub(super) fn link(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|path| is_path(path)).map(str::to_owned)
}

/// What a path ends with: the id of a member.
pub(super) fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// An address without the account that may stand in it.
fn without_account(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            let cut = url.set_username("").and_then(|()| url.set_password(None));
            if cut.is_ok() { words(url.as_str()) } else { "an address with an account in it".to_owned() }
        }
        _ => words(address),
    }
}

impl Seen {
    /// What the reset action takes, where that is said.
    pub fn resets(&self) -> Option<Vec<String>> {
        let action = self.system.pointer("/Actions/#ComputerSystem.Reset")?;
        if let Some(said) = texts(action.get("ResetType@Redfish.AllowableValues")) {
            return Some(said);
        }
        let parameters = self.action.get("Parameters")?.as_array()?;
        let of = |parameter: &&Value| parameter.get("Name").and_then(Value::as_str) == Some("ResetType");
        texts(parameters.iter().take(TEXTS_MAX).find(of)?.get("AllowableValues"))
    }

    pub fn has_reset(&self) -> bool {
        self.system.pointer("/Actions/#ComputerSystem.Reset").is_some_and(Value::is_object)
    }

    fn boot(&self) -> Option<Boot> {
        let boot = self.system.get("Boot").filter(|boot| boot.is_object())?;
        let enabled = text(boot, "/BootSourceOverrideEnabled").unwrap_or_default();
        let target = text(boot, "/BootSourceOverrideTarget").filter(|target| target != "None" && enabled != "Disabled");
        let targets = texts(boot.get("BootSourceOverrideTarget@Redfish.AllowableValues")).unwrap_or_default();
        if target.is_none() && enabled.is_empty() && targets.is_empty() {
            return None;
        }
        Some(Boot { target, once: enabled == "Once", targets })
    }

    fn consoles(&self) -> Vec<Console> {
        let mut consoles = Vec::new();
        // Those of managers, as all have had them; systems have theirs since 2020.
        for (kind, name) in
            [("graphical", "GraphicalConsole"), ("serial", "SerialConsole"), ("command", "CommandShell")]
        {
            let of_manager = self.manager.get(name);
            let Some(console) = self.system.get(name).or(of_manager).filter(|of| of.is_object()) else { continue };
            let mut ways = texts(console.get("ConnectTypesSupported")).unwrap_or_default();
            let mut enabled = flag(console, "/ServiceEnabled").unwrap_or(!ways.is_empty());
            for way in ["SSH", "Telnet", "IPMI", "WebSocket"] {
                if console.get(way).is_some_and(|way| flag(way, "/ServiceEnabled") == Some(true)) {
                    ways.push(way.to_owned());
                    enabled = true;
                }
            }
            if enabled || !ways.is_empty() {
                consoles.push(Console { kind, ways, enabled });
            }
        }
        consoles
    }

    fn media(&self) -> Vec<Medium> {
        let medium = |(path, value): &(String, Arc<Value>)| {
            let image = value.get("Image").and_then(Value::as_str).map(without_account);
            let image = image.filter(|image| !image.is_empty());
            Medium {
                id: words(last(path)),
                kinds: texts(value.get("MediaTypes")).unwrap_or_default(),
                // Some say that something is in it, and others only what.
                inserted: flag(value, "/Inserted").unwrap_or(image.is_some()),
                image,
            }
        };
        self.media.iter().map(medium).collect()
    }

    pub fn board(&self) -> Board {
        Board {
            system: text(&self.system, "/Id").unwrap_or_else(|| words(last(&self.path))),
            serial: text(&self.system, "/SerialNumber"),
            bios: text(&self.system, "/BiosVersion"),
            health: text(&self.system, "/Status/HealthRollup").or_else(|| text(&self.system, "/Status/Health")),
            power_state: text(&self.system, "/PowerState"),
            resets: self.resets(),
            consoles: self.consoles(),
            media: self.media(),
            boot: self.boot(),
        }
    }

    /// Its power as a light would show it.
    pub fn power(&self) -> Option<Power> {
        let state = text(&self.system, "/PowerState")?;
        Some(Power {
            enabled: self.has_reset(),
            busy: matches!(state.as_str(), "PoweringOn" | "PoweringOff"),
            on: matches!(state.as_str(), "On" | "PoweringOff" | "Paused"),
            disk: false,
        })
    }

    pub fn overview(&self) -> Overview {
        let of_system = |name: &str| text(&self.system, name);
        let model = match (of_system("/Manufacturer"), of_system("/Model")) {
            (Some(maker), Some(model)) if !model.starts_with(&maker) => Some(format!("{maker} {model}")),
            (maker, model) => model.or(maker),
        };
        Overview {
            kind: DeviceKind::Redfish,
            name: of_system("/HostName").or_else(|| of_system("/Name")),
            version: text(&self.manager, "/FirmwareVersion"),
            platform: model,
            power: self.power(),
            board: Some(self.board()),
            ..Overview::default()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn seen(system: Value, manager: Value, media: Vec<Value>) -> Seen {
        let media = media.into_iter().enumerate().map(|(at, one)| (format!("/redfish/v1/M/{at}"), Arc::new(one)));
        Seen {
            path: "/redfish/v1/Systems/System.Embedded.1".to_owned(),
            system: Arc::new(system),
            manager: Arc::new(manager),
            media: media.collect(),
            ..Seen::default()
        }
    }

    #[test]
    fn an_idrac() {
        let system = json!({"Id": "System.Embedded.1", "Manufacturer": "Dell Inc.", "Model": "PowerEdge R640", "HostName": "",
            "Name": "System", "SerialNumber": "CN7", "BiosVersion": "2.8.1", "PowerState": "On",
            "Status": {"Health": "OK", "HealthRollup": "Warning", "State": "Enabled"},
            "Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd",
                     "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Cd", "BiosSetup"]},
            "Actions": {"#ComputerSystem.Reset": {"target": "/redfish/v1/Systems/System.Embedded.1/Actions/ComputerSystem.Reset",
                        "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown", 7]}}});
        let manager = json!({"FirmwareVersion": "4.22.00.00",
            "GraphicalConsole": {"ServiceEnabled": true, "ConnectTypesSupported": ["KVMIP"]},
            "SerialConsole": {"ServiceEnabled": false, "ConnectTypesSupported": []}});
        let media = vec![
            json!({"MediaTypes": ["CD", "DVD"], "Image": "https://ada:secret@mirror.example/a.iso", "Inserted": true}),
        ];
        let overview = seen(system, manager, media).overview();
        assert_eq!(
            (overview.kind, overview.name.as_deref(), overview.version.as_deref(), overview.platform.as_deref()),
            (DeviceKind::Redfish, Some("System"), Some("4.22.00.00"), Some("Dell Inc. PowerEdge R640"))
        );
        let power = overview.power.unwrap();
        assert!(power.on && power.enabled && !power.busy);
        let board = overview.board.unwrap();
        assert_eq!((board.health.as_deref(), board.resets.unwrap().len()), (Some("Warning"), 3));
        assert_eq!(board.consoles, [Console { kind: "graphical", ways: vec!["KVMIP".to_owned()], enabled: true }]);
        assert_eq!(
            board.media,
            [Medium {
                id: "0".to_owned(),
                kinds: vec!["CD".to_owned(), "DVD".to_owned()],
                image: Some("https://mirror.example/a.iso".to_owned()),
                inserted: true
            }]
        );
        let boot = board.boot.unwrap();
        assert_eq!((boot.target.as_deref(), boot.once, boot.targets.len()), (Some("Cd"), true, 4));
    }

    #[test]
    fn openbmc_sushy_and_one_that_says_little() {
        // OpenBMC: what the action takes is a resource of its own, and consoles are the system's.
        let system = json!({"Id": "system", "PowerState": "PoweringOn",
            "Actions": {"#ComputerSystem.Reset": {"target": "/redfish/v1/Systems/system/Actions/ComputerSystem.Reset",
                        "@Redfish.ActionInfo": "/redfish/v1/Systems/system/ResetActionInfo"}},
            "SerialConsole": {"MaxConcurrentSessions": 15, "IPMI": {"ServiceEnabled": true}, "SSH": {"ServiceEnabled": true, "Port": 2200}}});
        let action = json!({"Parameters": [{"Name": "Other"}, {"Name": "ResetType", "AllowableValues": ["On", "ForceRestart"]}]});
        let openbmc = Seen { action: Arc::new(action), ..seen(system, Value::Null, Vec::new()) };
        let board = openbmc.board();
        assert_eq!(board.resets.unwrap(), ["On", "ForceRestart"]);
        assert_eq!(board.consoles[0].ways, ["SSH", "IPMI"]);
        assert!(openbmc.power().unwrap().busy && !openbmc.power().unwrap().on);
        // sushy: nulls where nothing is known.
        let sushy = seen(
            json!({"Id": "c7a5", "Name": "vm1", "PowerState": "Off", "BiosVersion": null, "Manufacturer": null,
                   "Boot": {"BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Hdd"}}),
            Value::Null,
            vec![json!({"MediaTypes": ["CD"], "Image": "", "Inserted": false})],
        );
        let overview = sushy.overview();
        assert_eq!((overview.name.as_deref(), overview.platform), (Some("vm1"), None));
        let board = overview.board.unwrap();
        assert_eq!((board.resets, board.boot.unwrap().once, board.media[0].inserted), (None, false, false));
        assert!(!overview.power.unwrap().enabled, "without an action nothing can be pressed");
        // Nothing at all.
        let bare = seen(Value::Null, Value::Null, Vec::new()).overview();
        assert_eq!((bare.power, bare.board.unwrap().system.as_str()), (None, "System.Embedded.1"));
    }

    proptest! {
        #[test]
        fn any_resource_is_read(name in "(Boot|Actions|Status|PowerState|GraphicalConsole|MediaTypes|Image)", text in ".{0,100}", depth in 0_usize..40) {
            let mut value = json!(text);
            for _ in 0..depth {
                value = json!([value]);
            }
            let of = json!({name: value});
            seen(of.clone(), of.clone(), vec![of]).overview();
        }
    }
}
