//! Values that a shape allows, and the places in them, made from the shape alone.

use std::collections::BTreeMap;

use batchyard_wire::shape::{Location, Member, Shape};
use serde_json::{Map, Value};

/// Below this depth optional members are left out: some shapes hold themselves.
const DEPTH_MAX: usize = 12;

/// How a value is made.
pub(crate) struct Maker {
    /// State of the random numbers.
    state: u64,
    /// Whether every optional member is there, and every list and map has something in it.
    is_full: bool,
}

impl Maker {
    /// One of the many values, chosen by the seed.
    pub(crate) fn random(seed: u64) -> Maker {
        Maker {
            state: seed,
            is_full: false,
        }
    }

    /// The value that has everything.
    pub(crate) fn full() -> Maker {
        Maker {
            state: 0,
            is_full: true,
        }
    }

    pub(crate) fn value(&mut self, shape: &Shape) -> Value {
        self.value_at(shape, 0)
    }

    fn value_at(&mut self, shape: &Shape, depth: usize) -> Value {
        match shape {
            Shape::Structure { members } => {
                let mut object = Map::new();
                for member in *members {
                    let is_wanted = depth < DEPTH_MAX && (self.is_full || self.below(3) == 0);
                    if member.is_required || is_wanted {
                        object.insert(member.name.to_owned(), self.member(member, depth + 1));
                    }
                }
                Value::Object(object)
            }
            Shape::List { member, min, max } => {
                let length = self.length(*min, *max);
                (0..length).map(|_| self.value_at(member, depth + 1)).collect()
            }
            Shape::Map { key, value, min, max } => {
                let length = self.length(*min, *max);
                let mut entries = Map::new();
                while entries.len() < length {
                    let key = self.value_at(key, depth + 1);
                    entries.insert(key.as_str().unwrap().to_owned(), self.value_at(value, depth + 1));
                }
                Value::Object(entries)
            }
            Shape::String {
                min,
                max,
                pattern,
                values,
            } => {
                if !values.is_empty() {
                    return values[self.below(values.len())].into();
                }
                let text = self.text(*min, *max);
                match pattern {
                    Some(pattern) if !pattern.matches(&text) => "7".repeat(text.chars().count()).into(),
                    Some(_) | None => text.into(),
                }
            }
            Shape::Integer { min, max, .. } => self.integer(*min, *max).into(),
            Shape::Float => [0.0, -0.5, 2.0, 123_456.75][self.below(4)].into(),
            Shape::Boolean => (self.below(2) == 0).into(),
            // With a millisecond, which is what both forms can say.
            Shape::Timestamp => {
                (1_700_000_000.0 + f64::from(u16::try_from(self.below(1000)).unwrap())).into()
            }
        }
    }

    fn member(&mut self, member: &Member, depth: usize) -> Value {
        match (member.location, member.shape) {
            // An empty label is another path.
            (Location::Uri, Shape::String { max, .. }) => self.text(1, *max).into(),
            (Location::Query, Shape::List { member, max, .. }) => {
                let length = self.length(1, *max);
                (0..length).map(|_| self.value_at(member, depth)).collect()
            }
            _ => self.value_at(member.shape, depth),
        }
    }

    fn length(&mut self, min: usize, max: usize) -> usize {
        let least = if self.is_full { min.max(1) } else { min };
        max.min(least + if self.is_full { 0 } else { self.below(3) })
    }

    /// Text of allowed length: mostly short, sometimes as long as it may be.
    fn text(&mut self, min: usize, max: usize) -> String {
        const ALPHABETS: [&str; 5] = ["a", "aZ09._-", "é𝄞 ", "\"\\\u{1}\n/", "%2F+&=?#:"];
        let least = if self.is_full { min.max(1) } else { min };
        let length = match self.below(10) {
            _ if self.is_full => least,
            0 if max < 3000 => max,
            short => max.min(least + short),
        };
        let alphabet: Vec<char> = ALPHABETS[self.below(ALPHABETS.len())].chars().collect();
        (0..length)
            .map(|_| alphabet[self.below(alphabet.len())])
            .collect()
    }

    fn integer(&mut self, min: i64, max: i64) -> i64 {
        match self.below(4) {
            0 => min,
            1 => max,
            _ => {
                let some = i64::try_from(self.below(1000)).unwrap();
                some.clamp(min, max)
            }
        }
    }

    /// A random number from zero up to but without `end`.
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64: a public-domain generator of one addition and a few mixing steps.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// A step from a value to one in it.
#[derive(Debug, Clone)]
enum Step {
    Member(&'static str),
    Element(usize),
    Entry(String),
}

/// A place in a value.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    steps: Vec<Step>,
    pub(crate) shape: &'static Shape,
    pub(crate) is_required_member: bool,
    /// The location of the outermost member.
    pub(crate) location: Location,
}

impl Place {
    /// Whether it is a member of a structure.
    pub(crate) fn is_member(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Member(_)))
    }

    /// As violations name it.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            let dot = if path.is_empty() { "" } else { "." };
            match step {
                Step::Member(name) => path += &format!("{dot}{name}"),
                Step::Element(index) => path += &format!("[{index}]"),
                Step::Entry(key) => path += &format!("{dot}{key}"),
            }
        }
        path
    }

    /// As AWS's common validation names it.
    pub(crate) fn common_path(&self) -> String {
        let steps = self.steps.iter().map(|step| match step {
            Step::Member(name) => (*name).to_owned(),
            Step::Element(index) => format!("{}.member", index + 1),
            Step::Entry(key) => key.clone(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    /// The value with another one at this place, or none.
    pub(crate) fn replaced(&self, value: &Value, replacement: Option<Value>) -> Value {
        let mut value = value.clone();
        let (last, before) = self.steps.split_last().unwrap();
        let mut parent = &mut value;
        for step in before {
            parent = match step {
                Step::Member(name) => &mut parent[*name],
                Step::Element(index) => &mut parent[*index],
                Step::Entry(key) => &mut parent[key.as_str()],
            };
        }
        match (last, replacement) {
            (Step::Member(name), Some(replacement)) => parent[*name] = replacement,
            (Step::Member(name), None) => drop(parent.as_object_mut().unwrap().remove(*name)),
            (Step::Element(index), replacement) => parent[*index] = replacement.unwrap_or(Value::Null),
            (Step::Entry(key), replacement) => parent[key.as_str()] = replacement.unwrap_or(Value::Null),
        }
        value
    }
}

/// All places of a value but the whole.
pub(crate) fn places(shape: &'static Shape, value: &Value) -> Vec<Place> {
    let mut places = Vec::new();
    let Shape::Structure { members } = shape else {
        return places;
    };
    for member in *members {
        if let Some(value) = value.get(member.name) {
            let place = Place {
                steps: vec![Step::Member(member.name)],
                shape: member.shape,
                is_required_member: member.is_required,
                location: member.location,
            };
            add_places(place, value, &mut places);
        }
    }
    places
}

fn add_places(place: Place, value: &Value, places: &mut Vec<Place>) {
    let mut below = |step: Step, shape: &'static Shape, is_required_member: bool, value: &Value| {
        let mut steps = place.steps.clone();
        steps.push(step);
        let place = Place {
            steps,
            shape,
            is_required_member,
            location: place.location,
        };
        add_places(place, value, places);
    };
    match (place.shape, value) {
        (Shape::Structure { members }, Value::Object(object)) => {
            let of_name: BTreeMap<&str, &Member> =
                members.iter().map(|member| (member.name, member)).collect();
            for (name, value) in object {
                let member = of_name[name.as_str()];
                below(Step::Member(member.name), member.shape, member.is_required, value);
            }
        }
        (Shape::List { member, .. }, Value::Array(elements)) => {
            for (index, value) in elements.iter().enumerate() {
                below(Step::Element(index), member, false, value);
            }
        }
        (Shape::Map { value: shape, .. }, Value::Object(object)) => {
            for (key, value) in object {
                below(Step::Entry(key.clone()), shape, false, value);
            }
        }
        _ => {}
    }
    places.push(place);
}
