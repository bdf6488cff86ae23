//! The vCPUs in use over time as a stacked chart, one band for each share of each queue.

use std::fmt::Write as _;

use batchyard_core::state::State;
use batchyard_core::time::Timestamp;

use super::record::Record;
use super::{as_float, milli_vcpu_ms};

/// Steps of time that are drawn (own choice: about as many as can be told apart).
const STEPS: u32 = 240;

/// Bands that are drawn with a colour of their own; the rest share one.
const BANDS_MAX: usize = 8;

/// Colours that are told apart by most eyes and on most screens, also without red and green (after Okabe and Ito), then grey for the rest.
const COLOURS: [&str; 9] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#332288", "#999999",
];

/// Measures of the picture, in pixels.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 48.0;
const RIGHT: f64 = 210.0;
const BOTTOM: f64 = 56.0;

/// How the line is drawn that shows how many vCPUs there are.
const DASHED: &str = "stroke=\"#222\" stroke-dasharray=\"5 4\"";

/// Bands over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chart {
    /// Names, and vCPUs in use in the mean of each step; that with the most use first, the rest together last.
    bands: Vec<(String, Vec<f64>)>,
    seconds: f64,
}

impl Chart {
    pub(super) fn new(record: &Record, state: &State, begin: Timestamp, end: Timestamp) -> Chart {
        let span = end.since(begin).as_millis().max(1);
        let edge = |step: u32| {
            let after = u128::from(span) * u128::from(step) / u128::from(STEPS);
            begin + batchyard_core::time::Millis::new(u64::try_from(after).unwrap_or(u64::MAX))
        };
        let steps: Vec<(Timestamp, Timestamp)> =
            (0..STEPS).map(|step| (edge(step), edge(step + 1))).collect();
        let mut used = vec![vec![0_u128; steps.len()]; record.lanes.len()];
        for slice in &record.slices {
            let Some(of_lane) = usize::try_from(slice.lane)
                .ok()
                .and_then(|lane| used.get_mut(lane))
            else {
                continue;
            };
            let last = slice.end.unwrap_or(end);
            let first = steps.partition_point(|(_, to)| *to <= slice.start);
            let touched = steps.iter().zip(of_lane).skip(first);
            for ((from, to), used) in touched.take_while(|((from, _), _)| *from < last) {
                *used += milli_vcpu_ms(slice, *from, *to);
            }
        }
        let several = state
            .queues()
            .filter(|(id, _)| record.lanes.iter().any(|lane| lane.queue == *id))
            .count()
            > 1;
        let named = record.lanes.iter().zip(used).map(|(lane, used)| {
            let queue = state.queue(lane.queue).name.to_string();
            let name = match (lane.share.is_empty(), several) {
                (true, _) => queue,
                (false, false) => lane.share.to_string(),
                (false, true) => format!("{queue} / {}", lane.share),
            };
            (name, used)
        });
        let mut named: Vec<(String, Vec<u128>)> = named.collect();
        named.sort_by_key(|(name, used)| (std::cmp::Reverse(used.iter().sum::<u128>()), name.clone()));
        let rest = named.split_off(named.len().min(BANDS_MAX));
        if !rest.is_empty() {
            let name = format!("{} others", rest.len());
            let mut sum = vec![0; steps.len()];
            for (_, used) in rest {
                sum.iter_mut().zip(used).for_each(|(sum, used)| *sum += used);
            }
            named.push((name, sum));
        }
        let mean = |(used, (from, to)): (u128, &(Timestamp, Timestamp))| {
            let time = u128::from(to.since(*from).as_millis());
            if time == 0 {
                0.0
            } else {
                as_float(used) / as_float(time) / 1000.0
            }
        };
        let bands = named
            .into_iter()
            .map(|(name, used)| (name, used.into_iter().zip(&steps).map(mean).collect()));
        Chart {
            bands: bands.collect(),
            seconds: as_float(u128::from(span)) / 1000.0,
        }
    }

    /// The chart as SVG. `vcpus`: how many there are, a line across.
    pub(super) fn svg(&self, vcpus: f64) -> String {
        let step_count = f64::from(STEPS);
        let highest = (0..usize::try_from(STEPS).unwrap_or(0))
            .map(|step| self.height_at(step))
            .fold(0.0, f64::max);
        // A machine much larger than what was used of it would press all bands into the ground.
        let shows_capacity = vcpus <= highest * 1.6;
        let top = nice_above(if shows_capacity {
            vcpus.max(highest)
        } else {
            highest
        });
        let (plot_width, plot_height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let x = |step: f64| LEFT + plot_width * step / step_count;
        let y = |vcpus: f64| TOP + plot_height * (1.0 - vcpus / top);
        let mut svg = String::new();
        let mut put = |text: String| svg.write_str(&text).expect("a string takes everything");
        put(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"26\" font-size=\"16\" font-weight=\"bold\">vCPUs in use over time</text>\n"
        ));
        for tick in 0..=4 {
            let value = top * f64::from(tick) / 4.0;
            let at = y(value);
            put(format!(
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\n<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                LEFT + plot_width,
                LEFT - 8.0,
                at + 4.0,
                short(value),
            ));
        }
        let mut below = vec![0.0; self.bands.first().map_or(0, |(_, used)| used.len())];
        for ((name, used), colour) in self.bands.iter().zip(self.colours()) {
            let above: Vec<f64> = below.iter().zip(used).map(|(below, used)| below + used).collect();
            // Steps, as use is constant between starts and ends: forth along the upper edge, back along the lower.
            let mut path = String::new();
            let edge = |heights: &[f64]| -> Vec<String> {
                let of_step = |(step, height): (u32, &f64)| {
                    let at = y(*height);
                    [
                        format!("{:.1},{at:.1}", x(f64::from(step))),
                        format!("{:.1},{at:.1}", x(f64::from(step) + 1.0)),
                    ]
                };
                (0..).zip(heights).flat_map(of_step).collect()
            };
            let (upper, mut lower) = (edge(&above), edge(&below));
            lower.reverse();
            write!(path, "M{} L{}Z", upper.join(" "), lower.join(" ")).expect("a string takes everything");
            put(format!(
                "<path d=\"{path}\" fill=\"{colour}\"><title>{}</title></path>\n",
                escaped(name)
            ));
            below = above;
        }
        if shows_capacity {
            let at = y(vcpus);
            put(format!(
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" {DASHED}/>\n",
                LEFT + plot_width,
            ));
        }
        self.put_time_axis(&mut put, plot_width);
        self.put_legend(&mut put, plot_width, shows_capacity.then_some(vcpus));
        svg + "</svg>\n"
    }

    fn height_at(&self, step: usize) -> f64 {
        self.bands.iter().filter_map(|(_, used)| used.get(step)).sum()
    }

    /// A colour for each band; grey for the rest, which is the last.
    fn colours(&self) -> impl Iterator<Item = &'static str> {
        let has_rest = self.bands.len() > BANDS_MAX;
        let own = COLOURS.into_iter().take(BANDS_MAX);
        own.chain(has_rest.then_some(COLOURS[BANDS_MAX]))
    }

    fn put_time_axis(&self, put: &mut dyn FnMut(String), plot_width: f64) {
        let bottom = HEIGHT - BOTTOM;
        let (unit, name) = unit_of(self.seconds);
        let span = self.seconds / unit;
        let step = nice_of(&[1.0, 2.0, 5.0, 10.0], span / 8.0);
        put(format!(
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{bottom}\" y2=\"{bottom}\" stroke=\"#222\"/>\n",
            LEFT + plot_width
        ));
        let mut tick = 0.0;
        while tick <= span * 1.001 {
            let at = LEFT + plot_width * tick / span;
            put(format!(
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{bottom}\" y2=\"{:.1}\" stroke=\"#222\"/>\n<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                bottom + 5.0,
                bottom + 20.0,
                short(tick),
            ));
            tick += step;
        }
        put(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">time since the beginning, {name}</text>\n<text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">vCPUs</text>\n",
            LEFT + plot_width / 2.0,
            bottom + 42.0,
            TOP + (HEIGHT - TOP - BOTTOM) / 2.0,
        ));
    }

    /// The bands from top to bottom, as they lie, below the line of what there is.
    fn put_legend(&self, put: &mut dyn FnMut(String), plot_width: f64, vcpus: Option<f64>) {
        let named: Vec<(&String, &str)> = self
            .bands
            .iter()
            .map(|(name, _)| name)
            .zip(self.colours())
            .collect();
        let mut at = TOP + 10.0;
        if let Some(vcpus) = vcpus {
            let left = LEFT + plot_width + 12.0;
            put(format!(
                "<line x1=\"{left:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" {DASHED}/>\n<text x=\"{2:.1}\" y=\"{at:.1}\">{3} vCPUs in all</text>\n",
                left + 12.0,
                at - 4.0,
                left + 18.0,
                short(vcpus),
            ));
            at += 20.0;
        }
        for (name, colour) in named.into_iter().rev() {
            let left = LEFT + plot_width + 12.0;
            let name = match name.chars().count() {
                0..=22 => escaped(name),
                _ => escaped(&format!("{}…", name.chars().take(21).collect::<String>())),
            };
            put(format!(
                "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n<text x=\"{:.1}\" y=\"{at:.1}\">{name}</text>\n",
                at - 10.0,
                left + 18.0,
            ));
            at += 20.0;
        }
    }
}

/// The unit that a span of time is shown in: its seconds and its name.
fn unit_of(seconds: f64) -> (f64, &'static str) {
    let units = [(86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes")];
    let found = units.into_iter().find(|(unit, _)| seconds >= unit * 3.0);
    found.unwrap_or((1.0, "seconds"))
}

/// The least of 1, 2, 4, 5, 8 or 10 times a power of ten that is not below: four parts of it have short names.
fn nice_above(value: f64) -> f64 {
    nice_of(&[1.0, 2.0, 4.0, 5.0, 8.0, 10.0], value)
}

/// The least of these, the last of which is 10, times a power of ten that is not below.
fn nice_of(numbers: &[f64], value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let mut numbers = numbers.iter();
    let found = numbers.find(|nice| **nice * power >= value * 0.999_999);
    found.unwrap_or(&10.0) * power
}

/// With as many digits behind the point as it takes, at most two.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
