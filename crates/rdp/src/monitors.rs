//! Several monitors in RDP's words: when a connection begins (MS-RDPBCGR 2.2.1.3.6 and 2.2.1.3.9), and later over the display control
//! channel (MS-RDPEDISP 2.2.2.2). There the primary monitor is at 0, 0, and others may have negative places.

use ironrdp_connector::Config;
use ironrdp_core::EncodeResult;
use ironrdp_displaycontrol::pdu::{
    DeviceScaleFactor, DisplayControlMonitorLayout, MonitorLayoutEntry, MonitorOrientation,
};
use ironrdp_pdu::gcc;
use oriel_screen::{Monitor, Monitors};

/// Where a monitor is, seen from the primary one.
fn place(monitor: &Monitor, primary: &Monitor) -> (i32, i32) {
    let from = |value: u16, origin: u16| i32::from(value) - i32::from(origin);
    (from(monitor.rect.x, primary.rect.x), from(monitor.rect.y, primary.rect.y))
}

/// For the display control channel.
pub(crate) fn layout(monitors: &Monitors) -> EncodeResult<DisplayControlMonitorLayout> {
    let primary = monitors.primary();
    let entries = monitors.as_slice().iter().map(|monitor| -> EncodeResult<MonitorLayoutEntry> {
        let (width, height) = (u32::from(monitor.rect.w), u32::from(monitor.rect.h));
        let entry = if monitor.primary {
            MonitorLayoutEntry::new_primary(width, height)?
        } else {
            let (left, top) = place(monitor, &primary);
            MonitorLayoutEntry::new_secondary(width, height)?.with_position(left, top)?
        };
        let turned = if width < height { MonitorOrientation::Portrait } else { MonitorOrientation::Landscape };
        let scale = u32::from(monitor.scale);
        Ok(entry
            .with_orientation(turned)
            .with_desktop_scale_factor(scale)?
            .with_device_scale_factor(DeviceScaleFactor::from_desktop_scale_factor(scale)))
    });
    DisplayControlMonitorLayout::new(&entries.collect::<EncodeResult<Vec<_>>>()?)
}

/// For a connection that begins with them. A single one is said by the desktop's size alone.
pub(crate) fn announce(monitors: &Monitors, config: &mut Config) {
    if monitors.as_slice().len() < 2 {
        return;
    }
    let primary = monitors.primary();
    let blocks = monitors.as_slice().iter().map(|monitor| {
        let (left, top) = place(monitor, &primary);
        gcc::Monitor {
            left,
            top,
            // Both are inside (MS-RDPBCGR 2.2.1.3.6.1).
            right: left + i32::from(monitor.rect.w) - 1,
            bottom: top + i32::from(monitor.rect.h) - 1,
            flags: if monitor.primary { gcc::MonitorFlags::PRIMARY } else { gcc::MonitorFlags::empty() },
        }
    });
    config.monitor_layout = Some(gcc::ClientMonitorData { monitors: blocks.collect() });
    let more = monitors.as_slice().iter().map(|monitor| {
        let scale = u32::from(monitor.scale);
        let portrait = monitor.rect.w < monitor.rect.h;
        gcc::ExtendedMonitorInfo {
            // Not known, and ignored as they are (MS-RDPBCGR 2.2.1.3.9.1).
            physical_width: 0,
            physical_height: 0,
            orientation: if portrait { gcc::MonitorOrientation::Portrait } else { gcc::MonitorOrientation::Landscape },
            desktop_scale_factor: scale,
            device_scale_factor: DeviceScaleFactor::from_desktop_scale_factor(scale).value(),
        }
    });
    config.monitor_extended_layout = Some(gcc::ClientMonitorExtendedData { extended_monitors_info: more.collect() });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::layout;
    use ironrdp_core::encode_vec;
    use ironrdp_displaycontrol::pdu::DisplayControlPdu;
    use oriel_screen::{Monitor, Monitors, Rect};

    /// MS-RDPEDISP 2.2.2.2 and 2.2.2.2.1, field by field: the specification's own examples have one monitor at a time.
    #[test]
    fn a_layout_in_bytes() {
        let monitors = Monitors::arrange(&[
            Monitor { rect: Rect::new(0, 0, 1080, 1920), scale: 100, primary: false },
            Monitor { rect: Rect::new(1080, 500, 1920, 1080), scale: 150, primary: true },
        ])
        .unwrap();
        let pdu = DisplayControlPdu::from(layout(&monitors).unwrap());
        let bytes = encode_vec(&pdu).unwrap();
        let fields: Vec<i32> =
            bytes.chunks_exact(4).map(|field| i32::from_le_bytes(field.try_into().unwrap())).collect();
        let expected = [
            // Type, length; size of an entry, number of them.
            vec![2, 96, 40, 2],
            // Flags, left, top, width, height, physical size, orientation, desktop's scale, device's scale.
            vec![0, -1080, -500, 1080, 1920, 0, 0, 90, 100, 100],
            vec![1, 0, 0, 1920, 1080, 0, 0, 0, 150, 140],
        ];
        assert_eq!(fields, expected.concat());
    }
}
