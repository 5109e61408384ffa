//! The parts of a device's state, whole and as what changed of them.

use crate::inner::{Inner, JIGGLE_SECONDS};
use crate::machine::Button;
use crate::{FRAMES_A_SECOND_MAX, GOP_MAX, KILOBITS, KVMD_VERSION, keymap};
use serde_json::{Map, Value, json};

/// What a client of events is told first, in this order: parts, and how deep they are compared afterwards. What lies deeper is told whole.
pub(crate) const PARTS: [(&str, u8); 10] = [
    ("clients", 0),
    ("gpio", 3),
    ("atx", 0),
    ("msd", 2),
    ("ocr", 0),
    ("info", 1),
    ("hid_keymaps", 0),
    ("streamer", 1),
    ("switch", 2),
    ("hid", 2),
];

/// Parts of `info`; `hw` is the older name of two of them.
pub(crate) const INFO: [&str; 8] = ["auth", "extras", "fan", "health", "meta", "node", "system", "uptime"];

/// What of `new` is not as it was.
pub(crate) fn difference(old: &Value, new: &Value, depth: u8) -> Option<Value> {
    if old == new {
        return None;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if depth > 0 => {
            let changed: Map<String, Value> = new
                .iter()
                .filter_map(|(name, value)| {
                    let changed = match old.get(name) {
                        Some(old) => difference(old, value, depth - 1)?,
                        None => value.clone(),
                    };
                    Some((name.clone(), changed))
                })
                .collect();
            Some(Value::Object(changed))
        }
        _ => Some(new.clone()),
    }
}

impl Inner {
    pub fn part(&self, name: &str) -> Value {
        match name {
            "clients" => json!({"count": self.now().clients}),
            "gpio" => gpio(),
            "atx" => self.atx(),
            "msd" => self.msd(),
            "ocr" => ocr(),
            "info" => INFO.iter().map(|name| ((*name).to_owned(), self.info(name))).collect(),
            "hid_keymaps" => keymaps(),
            "streamer" => self.streamer(),
            "switch" => switch(),
            "hid" => self.hid(),
            _ => Value::Null,
        }
    }

    fn atx(&self) -> Value {
        let pressing = self.now().pressing;
        let status = self.machine.status().borrow().clone();
        json!({
            "enabled": status.power.is_some(),
            "busy": pressing.is_some(),
            "acts": {
                "power": matches!(pressing, Some(Button::Power | Button::PowerLong)),
                "reset": pressing == Some(Button::Reset),
            },
            "leds": {"power": status.power.unwrap_or(false), "hdd": status.disk},
        })
    }

    fn hid(&self) -> Value {
        let (relative, jiggler) = {
            let now = self.now();
            (now.relative, now.jiggler)
        };
        let status = self.machine.status().borrow().clone();
        let led = |bit: u8| status.leds & bit != 0;
        json!({
            "enabled": true, "online": status.input, "busy": false, "connected": null,
            "keyboard": {
                "online": status.input,
                "leds": {"caps": led(4), "scroll": led(1), "num": led(2)},
                "outputs": {"available": [], "active": ""},
            },
            "mouse": {
                "online": status.input,
                "absolute": !relative,
                "outputs": {"available": ["usb", "usb_rel"], "active": if relative { "usb_rel" } else { "usb" }},
            },
            "jiggler": {"enabled": true, "active": jiggler, "interval": JIGGLE_SECONDS},
        })
    }

    fn msd(&self) -> Value {
        match &self.drive {
            Some(drive) => drive.part(),
            None => json!({"enabled": false, "online": false, "busy": false, "storage": null, "drive": null}),
        }
    }

    fn streamer(&self) -> Value {
        let (quality, fps, saved) = {
            let now = self.now();
            (now.quality, now.frames_per_second, now.saved.clone())
        };
        let mut params = json!({"quality": quality, "desired_fps": fps});
        let mut limits = json!({"desired_fps": {"min": 0, "max": FRAMES_A_SECOND_MAX}});
        let encoder = self.encoder();
        if let Some(encoder) = encoder
            && let (Some(params), Some(limits)) = (params.as_object_mut(), limits.as_object_mut())
        {
            let (kilobits, gop) = self.video_params(encoder);
            params.insert("h264_bitrate".to_owned(), kilobits.into());
            params.insert("h264_gop".to_owned(), gop.into());
            limits.insert("h264_bitrate".to_owned(), json!({"min": KILOBITS.0, "max": KILOBITS.1}));
            limits.insert("h264_gop".to_owned(), json!({"min": 0, "max": GOP_MAX}));
        }
        let saved = saved.map(|picture| {
            json!({"online": true, "width": picture.width, "height": picture.height,
                   "headers": {"X-UStreamer-Width": picture.width.to_string(), "X-UStreamer-Height": picture.height.to_string()}})
        });
        json!({
            "features": {"quality": true, "resolution": false, "h264": encoder.is_some()},
            "limits": limits,
            "params": params,
            "applied": params,
            "snapshot": {"saved": saved},
            "streamer": self.running_streamer(),
        })
    }

    /// What uStreamer says of itself; `null` while it does not run.
    pub fn running_streamer(&self) -> Value {
        if !self.is_streaming() {
            return Value::Null;
        }
        let picture = self.picture();
        let (quality, fps, captured, encoded, clients, video_is_watched) = {
            let now = self.now();
            // With nobody who watches JPEGs there are fewer of them than pictures.
            let captured = now.captured.max(now.encoded);
            (now.quality, now.frames_per_second, captured, now.encoded, now.clients, now.video_is_watched())
        };
        let size = picture.as_ref().map_or((640, 480), |picture| (picture.width, picture.height));
        let mut streamer = json!({
            "instance_id": "",
            "encoder": {"type": "CPU", "quality": quality},
            "sinks": {"jpeg": {"has_clients": clients > 0}},
            "source": {
                "resolution": {"width": size.0, "height": size.1},
                "online": picture.is_some(),
                "desired_fps": fps,
                "captured_fps": captured,
            },
            "stream": {"queued_fps": captured, "clients": 0, "clients_stat": {}},
        });
        if let Some(encoder) = self.encoder()
            && let Some(parts) = streamer.as_object_mut()
        {
            let (kilobits, gop) = self.video_params(encoder);
            let h264 = json!({"bitrate": kilobits, "gop": gop, "online": encoded > 0, "fps": encoded});
            parts.insert("h264".to_owned(), h264);
            let sinks = json!({"jpeg": {"has_clients": clients > 0}, "h264": {"has_clients": video_is_watched}});
            parts.insert("sinks".to_owned(), sinks);
        }
        streamer
    }

    /// A part of `info`.
    pub fn info(&self, name: &str) -> Value {
        match name {
            "auth" => json!({"enabled": self.door.is_kept()}),
            "extras" => json!({}),
            "fan" => json!({"monitored": false, "state": null}),
            "health" => json!({
                "temp": {"cpu": null},
                "cpu": {"percent": null},
                "mem": {"percent": null, "total": null, "available": null},
                "throttling": null,
            }),
            "meta" => json!({"server": {"host": self.machine.name()}}),
            "node" => json!({"host": self.machine.name()}),
            "system" => json!({
                "kvmd": {"version": KVMD_VERSION},
                "streamer": {"app": "oriel", "version": env!("CARGO_PKG_VERSION"), "features": {}},
                "kernel": {"system": "Linux", "release": null, "version": null, "machine": std::env::consts::ARCH},
                "platform": self.platform(),
            }),
            // No event each second.
            "uptime" => self.uptime(60),
            "hw" => json!({"health": self.info("health"), "platform": self.platform()}),
            _ => Value::Null,
        }
    }

    /// In whole steps of so many seconds.
    pub fn uptime(&self, step: u64) -> Value {
        let seconds = self.started.elapsed().as_secs() / step * step;
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (hours, minutes) = (rest / 3600, rest % 3600 / 60);
        json!({"total": seconds, "parts": {"days": days, "hours": hours, "mins": minutes, "secs": rest % 60}})
    }

    fn platform(&self) -> Value {
        let base = self.machine.board();
        json!({"type": "virtual", "base": base, "serial": null, "model": "oriel", "video": "screen", "board": "oriel"})
    }

    /// For Prometheus, in its text format.
    pub fn metrics(&self) -> String {
        let atx = self.atx();
        let on = |pointer: &str| u8::from(atx.pointer(pointer).and_then(Value::as_bool).unwrap_or(false));
        format!(
            "# TYPE pikvm_atx_enabled gauge\npikvm_atx_enabled {}\n\n# TYPE pikvm_atx_power gauge\npikvm_atx_power {}\n",
            on("/enabled"),
            on("/leds/power"),
        )
    }
}

fn gpio() -> Value {
    json!({
        "model": {"scheme": {"inputs": {}, "outputs": {}}, "view": {"header": {"title": []}, "table": []}},
        "state": {"inputs": {}, "outputs": {}},
    })
}

pub(crate) fn ocr() -> Value {
    json!({"enabled": false, "langs": {"default": [], "available": []}})
}

pub(crate) fn keymaps() -> Value {
    json!({"keymaps": {"default": keymap::DEFAULT, "available": keymap::names().collect::<Vec<_>>()}})
}

fn switch() -> Value {
    json!({
        "model": {"firmware": {}, "units": [], "ports": [], "limits": {}},
        "summary": {"active_port": -1, "active_id": "", "synced": true},
        "edids": {"all": {}, "used": []},
        "colors": {},
        "video": {"links": []},
        "usb": {"links": []},
        "beacons": {"uplinks": [], "downlinks": [], "ports": []},
        "atx": {"busy": [], "leds": {"power": [], "hdd": []}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let old = json!({"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": null});
        let new = json!({"a": {"b": {"c": 1, "d": 4}, "e": 3}, "f": null});
        assert_eq!(difference(&old, &old, 2), None);
        assert_eq!(difference(&old, &new, 2), Some(json!({"a": {"b": {"c": 1, "d": 4}}})));
        assert_eq!(difference(&old, &new, 3), Some(json!({"a": {"b": {"d": 4}}})));
        assert_eq!(difference(&old, &new, 0), Some(new.clone()));
        assert_eq!(difference(&new, &json!({"f": {"g": 1}}), 2), Some(json!({"f": {"g": 1}})));
        assert_eq!(difference(&json!({"f": {"g": 1}}), &json!({"f": null}), 2), Some(json!({"f": null})));
    }
}
