//! NVIDIA's grammar of vGPU names: `M60-2Q`, `A100-1-10CME`, `RTX Pro 6000 Blackwell DC-1-24Q`.
//!
//! `<card>-[<compute slices>-]<gigabytes><series>[<attribute>]`; 0 gigabytes are 512 MiB. The series decides over licence, heads
//! and frame rate (NVIDIA vGPU user guide, "Virtual GPU types").

/// A name taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub card: &'a str,
    /// Compute slices of the MIG instance below it; `None` for time-sliced ones.
    pub slices: Option<u8>,
    pub framebuffer_mib: u64,
    pub series: char,
    /// `4` in `1B4`, `ME`, `GFX`.
    pub attribute: &'a str,
}

/// Drops the brand before the card: `GRID M60-2Q` and `NVIDIA A40-2Q` are what people call `M60-2Q` and `A40-2Q`.
pub(crate) fn key(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix("GRID ").or_else(|| name.strip_prefix("NVIDIA ")).unwrap_or(name)
}

pub(crate) fn parse(key: &str) -> Option<Name<'_>> {
    let (before, suffix) = key.rsplit_once('-')?;
    let digits = suffix.find(|one: char| !one.is_ascii_digit())?;
    let (gigabytes, rest) = suffix.split_at_checked(digits)?;
    let gigabytes: u64 = gigabytes.parse().ok().filter(|size| *size <= 4096)?;
    let series = rest.chars().next().filter(|series| "ABCQ".contains(*series))?;
    let attribute = rest.get(1..).unwrap_or_default();
    let mig = before.rsplit_once('-').and_then(|(card, slices)| {
        let slices = slices.parse::<u8>().ok().filter(|count| (1..=9).contains(count) && slices.len() == 1)?;
        Some((card, slices))
    });
    let (card, slices) = mig.map_or((before, None), |(card, slices)| (card, Some(slices)));
    let framebuffer_mib = if gigabytes == 0 { 512 } else { gigabytes * 1024 };
    (!card.is_empty()).then_some(Name { card, slices, framebuffer_mib, series, attribute })
}

impl Name<'_> {
    /// The licence edition that its guests need.
    pub fn license(self) -> &'static str {
        match self.series {
            'A' => "vApps",
            'B' => "vPC",
            'C' => "NVAIE",
            _ => "vWS",
        }
    }

    /// Frames a second where nothing says otherwise.
    pub fn frame_rate_limit(self) -> u32 {
        if self.series == 'B' { 45 } else { 60 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let of = |name: &'static str| {
            let name = parse(key(name))?;
            Some((name.card, name.slices, name.framebuffer_mib, name.series, name.attribute))
        };
        assert_eq!(of("GRID M60-0B"), Some(("M60", None, 512, 'B', "")));
        assert_eq!(of("GRID M60-2B4"), Some(("M60", None, 2048, 'B', "4")));
        assert_eq!(of("NVIDIA A100-1-5CME"), Some(("A100", Some(1), 5120, 'C', "ME")));
        assert_eq!(
            of("NVIDIA RTX Pro 6000 Blackwell DC-1-24Q"),
            Some(("RTX Pro 6000 Blackwell DC", Some(1), 24_576, 'Q', ""))
        );
        assert_eq!(of("NVIDIA RTXA6000-2Q"), Some(("RTXA6000", None, 2048, 'Q', "")));
        for none in ["GVTg_V5_4", "mbochs-small", "-2Q", "A40-", "A40-99999999999999999999Q", "A40-2X"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
