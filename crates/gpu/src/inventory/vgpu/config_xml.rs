//! The catalogue that NVIDIA's host driver brings: `vgpuConfig.xml`, all types and which GPU has how many of each.
//!
//! ```text
//!   <vgpuType id name><framebuffer>…<numHeads>…<display width height/>…</vgpuType>
//!   <pgpu><devId deviceId subsystemId/><supportedVgpu vgpuId><maxVgpus>…</supportedVgpu></pgpu>
//! ```

use super::known::Known;
use crate::Sysfs;
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use std::collections::BTreeMap;

/// Where the driver's package puts it.
pub(crate) const PATH: &str = "/usr/share/nvidia/vgpu/vgpuConfig.xml";
/// Most types, GPUs, and types of one GPU that are taken over.
const TYPES_MAX: usize = 8192;
const GPUS_MAX: usize = 2048;

#[derive(Debug, Default)]
pub(crate) struct Config {
    types: BTreeMap<u32, Known>,
    gpus: Vec<Gpu>,
}

#[derive(Debug, Default)]
struct Gpu {
    device: u16,
    /// 0 for every board.
    subsystem: u16,
    /// Number of the type, most on one GPU.
    types: Vec<(u32, u32)>,
}

impl Config {
    /// `None` without the file or when it cannot be read.
    pub fn read(sysfs: &dyn Sysfs) -> Option<Self> {
        let bytes = sysfs.read(PATH).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&bytes))).filter(|config| !config.gpus.is_empty())
    }

    /// What can be read; the rest of a broken file is left out.
    pub fn parse(text: &str) -> Self {
        let mut reader = Reader::from_str(text);
        let mut config = Self::default();
        let mut now = State::default();
        loop {
            match reader.read_event() {
                Ok(Event::Start(element)) => {
                    now.start(&element, &mut config);
                    now.text.clear();
                }
                Ok(Event::Empty(element)) => {
                    now.start(&element, &mut config);
                    now.end(element.name().as_ref(), &mut config);
                }
                Ok(Event::Text(text)) => {
                    if now.text.len() < 64 {
                        now.text.push_str(text.as_ref());
                    }
                }
                Ok(Event::End(element)) => now.end(element.name().as_ref(), &mut config),
                Ok(Event::Eof) | Err(_) => return config,
                Ok(_) => {}
            }
        }
    }

    /// The types of one GPU: the entry of its board if there is one, else that of all boards.
    pub fn types_of(&self, device_id: &str, subsystem_device_id: &str) -> Vec<Known> {
        let hex = |text: &str| u16::from_str_radix(text, 16).unwrap_or(0);
        let (device, subsystem) = (hex(device_id), hex(subsystem_device_id));
        let of = |wanted: u16| self.gpus.iter().filter(move |gpu| gpu.device == device && gpu.subsystem == wanted);
        let mut found: Vec<&Gpu> = if subsystem == 0 { Vec::new() } else { of(subsystem).collect() };
        if found.is_empty() {
            found = of(0).collect();
        }
        let types = found.into_iter().flat_map(|gpu| &gpu.types);
        types.filter_map(|(number, max)| Some(Known { max: *max, ..self.types.get(number)?.clone() })).collect()
    }
}

/// Where the reader stands.
#[derive(Default)]
struct State {
    of_type: Option<(u32, Known)>,
    gpu: Option<Gpu>,
    supported: Option<(u32, u32)>,
    text: String,
}

impl State {
    fn start(&mut self, element: &BytesStart, config: &mut Config) {
        let get = |name: &str| attribute(element, name);
        match element.name().as_ref() {
            "vgpuType" if config.types.len() < TYPES_MAX => {
                let number = get("id").and_then(|id| number(&id)).unwrap_or(0) as u32;
                let known = Known::named(&get("name").unwrap_or_default());
                self.of_type = Some((number, Known { number: number.to_string(), ..known }));
            }
            "display" => {
                if let (Some((_, known)), Some(width), Some(height)) = (&mut self.of_type, get("width"), get("height"))
                    && let (Some(width), Some(height)) = (number(&width), number(&height))
                {
                    known.resolution = format!("{width}x{height}");
                }
            }
            "pgpu" if config.gpus.len() < GPUS_MAX => self.gpu = Some(Gpu::default()),
            "devId" => {
                if let Some(gpu) = &mut self.gpu {
                    gpu.device = get("deviceId").and_then(|id| number(&id)).unwrap_or(0) as u16;
                    gpu.subsystem = get("subsystemId").and_then(|id| number(&id)).unwrap_or(0) as u16;
                }
            }
            "supportedVgpu" => self.supported = Some((get("vgpuId").and_then(|id| number(&id)).unwrap_or(0) as u32, 0)),
            _ => {}
        }
    }

    fn end(&mut self, name: &str, config: &mut Config) {
        let value = number(self.text.trim());
        match name {
            "vgpuType" => config.types.extend(self.of_type.take()),
            "pgpu" => config.gpus.extend(self.gpu.take()),
            "numHeads" => {
                if let (Some((_, known)), Some(heads)) = (&mut self.of_type, value) {
                    known.heads = heads as u32;
                }
            }
            "frlConfig" => {
                if let (Some((_, known)), Some(limit)) = (&mut self.of_type, value) {
                    known.frame_rate_limit = Some(limit as u32);
                }
            }
            // The name says the round number that people know; the file has it less what the driver keeps for itself.
            "framebuffer" => {
                if let (Some((_, known)), Some(bytes)) = (&mut self.of_type, value)
                    && known.framebuffer_mib == 0
                {
                    known.framebuffer_mib = bytes >> 20;
                }
            }
            "maxVgpus" => {
                if let (Some(supported), Some(max)) = (&mut self.supported, value) {
                    supported.1 = max as u32;
                }
            }
            "supportedVgpu" => {
                if let (Some(gpu), Some(supported)) = (&mut self.gpu, self.supported.take())
                    && gpu.types.len() < TYPES_MAX
                {
                    gpu.types.push(supported);
                }
            }
            _ => {}
        }
        self.text.clear();
    }
}

fn attribute(element: &BytesStart, name: &str) -> Option<String> {
    let found = element.try_get_attribute(name).ok()??;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

/// Decimal, or hexadecimal behind `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0"?>
<!DOCTYPE vgpu SYSTEM "http://www.nvidia.com/dtd/vgpuConfig.dtd">
<vgpuconfig><version>1.0</version>
  <vgpuType id="18" name="GRID M60-2Q" class="Quadro">
    <devId vendorId="0x10de" deviceId="0x13F2" subsystemVendorId="0x10de" subsystemId="0x114e"></devId>
    <framebuffer>0x74000000</framebuffer><numHeads>4</numHeads><display width="5120" height="2880"></display>
    <frlConfig>0x3c</frlConfig>
  </vgpuType>
  <vgpuType id="99" name="odd"><framebuffer>0x20000000</framebuffer><numHeads>x</numHeads></vgpuType>
  <pgpu><devId vendorId="0x10de" deviceId="0x13F2" subsystemVendorId="0x10de" subsystemId="0x0"/>
    <supportedVgpu vgpuId="18"><maxVgpus>4</maxVgpus></supportedVgpu>
    <supportedVgpu vgpuId="4711"><maxVgpus>4</maxVgpus></supportedVgpu></pgpu>
  <pgpu><devId deviceId="0x13F2" subsystemId="0x4444"/><supportedVgpu vgpuId="99"><maxVgpus>16</maxVgpus></supportedVgpu></pgpu>
</vgpuconfig>"#;

    #[test]
    fn the_catalogue_is_read() {
        let config = Config::parse(TEXT);
        let types = config.types_of("13f2", "115e");
        assert_eq!(types.len(), 1);
        let two = &types[0];
        assert_eq!((two.key.as_str(), two.number.as_str(), two.framebuffer_mib, two.max), ("M60-2Q", "18", 2048, 4));
        assert_eq!((two.heads, two.resolution.as_str(), two.frame_rate_limit), (4, "5120x2880", Some(60)));
        assert_eq!(config.types_of("13f2", "4444")[0].framebuffer_mib, 512);
        assert!(config.types_of("13f3", "").is_empty());
    }

    #[test]
    fn a_broken_catalogue_gives_what_it_has() {
        for end in 0..TEXT.len() {
            Config::parse(&TEXT[..end]);
        }
    }
}
