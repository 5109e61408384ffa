//! A Switch behind the device.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long its units take to follow.
const SWITCHING: Duration = Duration::from_millis(300);
const UNIT_PORTS: usize = 4;

#[derive(Debug)]
pub struct FakeSwitch {
    pub active: Option<usize>,
    /// Its units follow from then on.
    synced: Instant,
    /// Which ports were chosen, in their order.
    pub chosen: Vec<usize>,
    /// Which buttons were pressed where.
    pub pressed: Vec<(usize, String)>,
    /// The lights of the machines.
    pub power: Vec<bool>,
}

impl FakeSwitch {
    pub fn new(units: u8) -> Self {
        let ports = usize::from(units) * UNIT_PORTS;
        let active = (ports > 0).then_some(0);
        Self { active, synced: Instant::now(), chosen: Vec::new(), pressed: Vec::new(), power: vec![false; ports] }
    }

    /// `1.3` of a chain, or a number from 0.
    fn port(&self, text: &str) -> Option<usize> {
        let index = match text.split_once('.') {
            Some((unit, port)) => {
                let (unit, port): (usize, usize) = (unit.parse().ok()?, port.parse().ok()?);
                unit.checked_sub(1)? * UNIT_PORTS + port.checked_sub(1)?
            }
            None => text.parse().ok()?,
        };
        // A Switch that is not there takes everything.
        (index < self.power.len()).then_some(index)
    }

    /// Chooses a port.
    pub fn choose(&mut self, text: &str) {
        let Some(port) = self.port(text) else { return };
        self.active = Some(port);
        self.chosen.push(port);
        self.synced = Instant::now() + SWITCHING;
    }

    /// Presses a button, or wishes for power.
    pub fn press(&mut self, text: &str, what: &str) {
        let Some(port) = self.port(text) else { return };
        self.pressed.push((port, what.to_owned()));
        if let Some(light) = self.power.get_mut(port) {
            *light = match what {
                "on" => true,
                "off" | "off_hard" | "power_long" => false,
                "power" => !*light,
                _ => *light,
            };
        }
    }

    /// As kvmd tells it.
    pub fn part(&self, stuck: bool) -> Value {
        let ports = self.power.len();
        let one = |index: usize| {
            let name = if index == 0 { "first" } else { "" };
            json!({"unit": index / UNIT_PORTS, "channel": index % UNIT_PORTS, "name": name, "id": (index + 1).to_string(),
                   "atx": {"click_delays": {"power": 0.5, "power_long": 5.5, "reset": 0.5}}, "video": {"dummy": true}})
        };
        let units: Vec<Value> =
            (0..ports / UNIT_PORTS).map(|_| json!({"firmware": {"version": 9, "devbuild": false}})).collect();
        let active = self.active.and_then(|active| i64::try_from(active).ok()).unwrap_or(-1);
        let id = self.active.map(|active| (active + 1).to_string()).unwrap_or_default();
        json!({
            "model": {"firmware": {"version": 9}, "units": units, "ports": (0..ports).map(one).collect::<Vec<Value>>(), "limits": {}},
            "summary": {"active_port": active, "active_id": id, "synced": !stuck && self.synced <= Instant::now()},
            "edids": {"all": {}, "used": []},
            "colors": {},
            "video": {"links": vec![true; ports]},
            "usb": {"links": vec![true; ports]},
            "beacons": {"uplinks": [], "downlinks": [], "ports": vec![false; ports]},
            "atx": {"busy": vec![false; ports], "leds": {"power": self.power, "hdd": vec![false; ports]}},
        })
    }
}
