//! A PiKVM Switch behind the device: one keyboard, screen and drive for the machines at its ports, each with buttons and lights of its
//! own. Which port is active is the device's to know: it is asked, and waited for.

use crate::DeviceError;
use crate::client::Client;
use crate::command::{Button, LOOK_AGAIN, with};
use crate::state::{Overview, Power, State};
use hyper::Method;
use oriel_model::{SWITCH_UNIT_PORTS, SWITCH_UNITS_MAX, SwitchPort};
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

/// How long a port may take to become active.
const SWITCHING_SECONDS_MAX: u64 = 10;
/// Ports of the longest chain.
const PORTS_MAX: usize = SWITCH_UNITS_MAX as usize * SWITCH_UNIT_PORTS as usize;
/// Longest name of a port that is shown, in characters.
const NAME_CHARS_MAX: usize = 64;

/// A Switch as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// Whose keyboard and screen the device has; none before somebody chose.
    pub active: Option<SwitchPort>,
    /// The units do what they were told; they are still at it otherwise.
    pub synced: bool,
    pub ports: Vec<PortState>,
}

/// One port, and what is at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortState {
    pub port: SwitchPort,
    /// What it is called on the device; often nothing.
    pub name: String,
    pub active: bool,
    /// A machine shows a picture there.
    pub video: bool,
    /// A machine takes the keyboard there.
    pub usb: bool,
    pub power: Power,
}

impl Switch {
    pub fn port(&self, port: SwitchPort) -> Option<&PortState> {
        self.ports.iter().find(|one| one.port == port)
    }
}

impl State {
    fn in_list(&self, list: &str, index: usize) -> Option<bool> {
        self.get(&format!("/switch/{list}"))?.as_array()?.get(index)?.as_bool()
    }

    /// `None`: the device has no Switch, or none that is ready.
    pub fn switch(&self) -> Option<Switch> {
        let listed = self.get("/switch/model/ports")?.as_array().filter(|ports| !ports.is_empty())?;
        let active = self.active_port().and_then(|active| SwitchPort::from_index(usize::try_from(active).ok()?));
        let ports = listed.iter().take(PORTS_MAX).enumerate().filter_map(|(index, told)| {
            let port = SwitchPort::from_index(index)?;
            let name = told.get("name").and_then(Value::as_str).unwrap_or_default();
            let flag = |list: &str| self.in_list(list, index).unwrap_or(false);
            let light = self.in_list("atx/leds/power", index);
            Some(PortState {
                port,
                name: name.chars().filter(|one| !one.is_control()).take(NAME_CHARS_MAX).collect(),
                active: active == Some(port),
                video: flag("video/links"),
                usb: flag("usb/links"),
                power: Power {
                    enabled: light.is_some(),
                    busy: flag("atx/busy"),
                    on: light.unwrap_or(false),
                    disk: flag("atx/leds/hdd"),
                },
            })
        });
        let synced = self.get("/switch/summary/synced").and_then(Value::as_bool).unwrap_or(true);
        Some(Switch { active, synced, ports: ports.collect() })
    }

    /// As the device numbers it; -1 before somebody chose.
    fn active_port(&self) -> Option<i64> {
        self.get("/switch/summary/active_port")?.as_i64()
    }

    /// Whether the device says that something else is active now than this port, whatever it says that it is.
    pub(crate) fn has_left(&self, port: SwitchPort) -> bool {
        let told = self.get("/switch/summary/active_port");
        told.is_some_and(|active| active.as_u64() != Some(port.index() as u64))
    }
}

impl Overview {
    /// What of the device belongs to the machine at a port: its buttons and lights, and while the port is active keyboard and picture.
    /// The drive and the table of switches stay the device's.
    #[must_use]
    pub fn at_port(&self, port: SwitchPort) -> Self {
        let here = self.switch.as_ref().and_then(|switch| switch.port(port)).cloned();
        let is_active = here.as_ref().is_some_and(|here| here.active);
        let of_switch = |here: PortState| Switch {
            active: self.switch.as_ref().and_then(|switch| switch.active),
            synced: self.switch.as_ref().is_some_and(|switch| switch.synced),
            ports: vec![here],
        };
        Self {
            kind: self.kind,
            name: here.as_ref().map(|here| here.name.clone()).filter(|name| !name.is_empty()),
            version: self.version.clone(),
            platform: self.platform.clone(),
            keyboard: self.keyboard.filter(|_| is_active),
            mouse_absolute: self.mouse_absolute,
            leds: self.leds.filter(|_| is_active),
            jiggler: self.jiggler.filter(|_| is_active),
            power: here.as_ref().map(|here| here.power),
            video: self.video.filter(|_| is_active),
            switch: here.map(of_switch),
            ..Self::default()
        }
    }
}

fn lacks(port: SwitchPort, switch: Option<&Switch>) -> DeviceError {
    DeviceError::Lacks(match switch.and_then(|switch| switch.ports.last()) {
        Some(last) => format!("its Switch has no port {port}: the last one is {}", last.port),
        None => format!("the device has no Switch whose port {port} could be opened, or the Switch does not answer"),
    })
}

impl Client {
    async fn switch_state(&mut self) -> Result<State, DeviceError> {
        self.state(&["switch"]).await
    }

    /// Makes a port active and waits until the units have followed: until then the picture may be another machine's.
    ///
    /// # Errors
    /// There is no such port, the device refused, or the units do not follow.
    pub async fn activate(&mut self, port: SwitchPort) -> Result<(), DeviceError> {
        let switch = self.switch_state().await?.switch();
        let here = switch.as_ref().and_then(|switch| switch.port(port)).ok_or_else(|| lacks(port, switch.as_ref()))?;
        if !here.active {
            let index = port.index().to_string();
            self.ask(Method::POST, &with("/api/switch/set_active", &[("port", &index)])).await?;
        }
        for _ in 0..SWITCHING_SECONDS_MAX * 2 {
            let switch = self.switch_state().await?.switch();
            if switch.is_some_and(|switch| switch.active == Some(port) && switch.synced) {
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
        Err(DeviceError::Unverified(format!(
            "the Switch was told to go to port {port}, and its units have not followed after {SWITCHING_SECONDS_MAX} seconds; \
             check its cables and its power"
        )))
    }

    /// # Errors
    /// Another port is active by now, or the device no longer says which: its Switch may be gone.
    pub(crate) async fn stays_at(&mut self, port: SwitchPort) -> Result<(), DeviceError> {
        let switch = self.switch_state().await?.switch();
        if switch.is_some_and(|switch| switch.active == Some(port)) { Ok(()) } else { Err(DeviceError::PortLeft(port)) }
    }

    /// Presses a button of the machine at a port, whichever is active.
    ///
    /// # Errors
    /// There is no such port, or the device refused.
    pub async fn press_at(&mut self, port: SwitchPort, button: Button) -> Result<(), DeviceError> {
        let switch = self.switch_state().await?.switch();
        // Commands to a Switch that is not there are taken, and nothing comes of them.
        if switch.as_ref().and_then(|switch| switch.port(port)).is_none() {
            return Err(lacks(port, switch.as_ref()));
        }
        let index = port.index().to_string();
        let path = match button {
            Button::To(action) => with("/api/switch/atx/power", &[("port", &index), ("action", action.word())]),
            Button::Press(click) => with("/api/switch/atx/click", &[("port", &index), ("button", click.word())]),
        };
        self.ask(Method::POST, &path).await.map(drop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn state() -> State {
        let port = |name: &str| json!({"unit": 0, "channel": 0, "name": name, "id": "1"});
        let mut state = State::default();
        state
            .set(
                "switch",
                json!({
                    "model": {"units": [{}], "ports": [port("mail"), port(""), port("a\u{7}b"), port("")]},
                    "summary": {"active_port": 2, "active_id": "3", "synced": true},
                    "video": {"links": [true, false, true, false]}, "usb": {"links": [true, false, false, false]},
                    "atx": {"busy": [false, true, false, false],
                            "leds": {"power": [true, false, true, false], "hdd": [false, false, true, false]}},
                }),
            )
            .unwrap();
        state
    }

    #[test]
    fn ports_have_lights_of_their_own() {
        let mut state = state();
        let switch = state.switch().unwrap();
        let third = SwitchPort::from_index(2).unwrap();
        assert_eq!((switch.active, switch.synced, switch.ports.len()), (Some(third), true, 4));
        let one = switch.port(third).unwrap();
        assert_eq!((one.name.as_str(), one.active, one.video, one.usb, one.power.on), ("ab", true, true, false, true));
        assert!(switch.ports.iter().filter(|port| port.active).count() == 1 && !state.has_left(third));
        // What changes is told by itself.
        let told = json!({"event_type": "switch", "event": {"summary": {"active_port": 0, "active_id": "1", "synced": false}}});
        assert_eq!(state.apply(told.to_string().as_bytes()), Ok(Some("switch")));
        let switch = state.switch().unwrap();
        assert_eq!((switch.active, switch.synced), (SwitchPort::from_index(0), false));
        // What is no port's number is no port, and nothing told is nothing said.
        for (active, left) in [(json!(-1), true), (json!(null), true), (json!("0"), true), (json!(0), false)] {
            let mut state = State::default();
            state.set("switch", json!({"summary": {"active_port": active}})).unwrap();
            assert_eq!(state.has_left(SwitchPort::from_index(0).unwrap()), left);
        }
        assert!(!State::default().has_left(third));
        assert!(switch.ports.iter().all(|port| port.active == (port.port.index() == 0)) && state.has_left(third));
    }

    #[test]
    fn a_port_shows_what_is_its_own() {
        let overview = state().overview();
        let at = |index: usize| overview.at_port(SwitchPort::from_index(index).unwrap());
        let first = at(0);
        assert_eq!(
            (first.name.as_deref(), first.power.map(|power| power.on), first.video),
            (Some("mail"), Some(true), None)
        );
        assert_eq!(first.switch.map(|switch| (switch.ports.len(), switch.active.unwrap().index())), Some((1, 2)));
        assert_eq!((at(7).power, at(7).switch), (None, None));
    }

    #[test]
    fn without_units_there_is_no_switch() {
        let mut state = State::default();
        assert_eq!(state.switch(), None);
        state.set("switch", json!({"model": {"units": [], "ports": []}, "summary": {"active_port": -1}})).unwrap();
        assert_eq!(state.switch(), None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_read(active in any::<i64>(), ports in 0usize..64, links in proptest::collection::vec(any::<bool>(), 0..8)) {
            let ports: Vec<Value> = (0..ports).map(|_| json!({"name": 5})).collect();
            let mut state = State::default();
            state.set("switch", json!({"model": {"ports": ports}, "summary": {"active_port": active}, "video": {"links": links}})).unwrap();
            let count = state.switch().map_or(0, |switch| switch.ports.len());
            prop_assert!(count <= PORTS_MAX);
        }
    }
}
