//! Places for all nodes of a multi-node parallel job at once, or for none (section B11.5).
//!
//! The first environment of the queue that could ever take the job is waited for, even where a later one has room. Each node has its
//! instance for itself where the environment has instances.

use std::cmp::Reverse;

use super::choose::{
    Hindrance, NewInstance, Site, Verdict, hindrance_of_spec, make_room_besides, new_instance,
};
use crate::environment::{Capacity, Environment, InstancePlan, InstanceTypeName};
use crate::fleet::Fleet;
use crate::id::{EnvironmentId, InstanceId};
use crate::job::Profile;
use crate::multi_node::{NodeIndex, NodeShape};
use crate::resources::{MilliVcpus, Resources};

/// How to make places for all nodes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GangPlan {
    /// In which environment.
    pub(crate) environment: EnvironmentId,
    /// Where in it, by node.
    pub(crate) sites: Vec<Site>,
    /// Idle instances that are given back first.
    pub(crate) reclaimed: Vec<(EnvironmentId, InstanceId)>,
}

/// Whether all nodes can start now from this queue, and where.
pub(super) fn consider(
    fleet: &Fleet,
    environments: &[EnvironmentId],
    profile: &Profile,
    shape: &NodeShape,
) -> Verdict {
    let mut hindrances = Vec::new();
    for id in environments {
        let environment = fleet.environment(*id);
        match consider_environment(fleet, *id, environment, profile, shape) {
            Ok(plan) => return Verdict::PlaceGang(plan),
            Err(hindrance) => {
                let is_passing = matches!(
                    hindrance,
                    Hindrance::MaximumReached { .. } | Hindrance::HostBusy { .. }
                );
                hindrances.push((environment.name.clone(), hindrance));
                if is_passing {
                    break;
                }
            }
        }
    }
    Verdict::Wait(hindrances)
}

fn consider_environment(
    fleet: &Fleet,
    id: EnvironmentId,
    environment: &Environment,
    profile: &Profile,
    shape: &NodeShape,
) -> Result<GangPlan, Hindrance> {
    if let Some(hindrance) = hindrance_of_spec(fleet, environment, profile) {
        return Err(hindrance);
    }
    if environment.spec.refuses_multi_node {
        return Err(Hindrance::SingleNodesOnly);
    }
    match &environment.spec.capacity {
        Capacity::Shared { vcpus_max } => {
            let plan = super::choose::on_host(fleet, id, environment, profile.resources, *vcpus_max)?;
            let count = usize::try_from(shape.count).unwrap_or(0);
            Ok(GangPlan {
                environment: id,
                sites: vec![Site::Host; count],
                reclaimed: plan.reclaimed,
            })
        }
        // Service jobs have no nodes of the core's.
        Capacity::Units { .. } => Err(Hindrance::SingleNodesOnly),
        Capacity::Instances(plan) => {
            let instances = Instances {
                fleet,
                id,
                environment,
                plan,
                shape,
            };
            // Where the idle instances are of the wrong sizes, others in their stead may do.
            instances.places(true).or_else(|_| instances.places(false))
        }
    }
}

/// A node that has no place yet.
struct Wanted {
    node: NodeIndex,
    need: Resources,
    /// The type its instance must have.
    only: Option<InstanceTypeName>,
}

/// Looks for places on instances of one environment.
struct Instances<'a> {
    fleet: &'a Fleet,
    id: EnvironmentId,
    environment: &'a Environment,
    plan: &'a InstancePlan,
    shape: &'a NodeShape,
}

impl Instances<'_> {
    /// `keeps_idle`: takes idle instances where they fit.
    fn places(&self, keeps_idle: bool) -> Result<GangPlan, Hindrance> {
        let vcpus_max = self.plan.vcpus_max;
        let wanted = |node| {
            let group = self.shape.group(node);
            Wanted {
                node,
                need: group.resources,
                only: group.instance_type,
            }
        };
        let mut nodes: Vec<Wanted> = (0..self.shape.count).map(wanted).collect();
        if vcpus_of(&nodes) > vcpus_max {
            return Err(Hindrance::OverMaximum { vcpus_max });
        }
        for Wanted { need, only, .. } in &nodes {
            if let Some(only) = only.filter(|only| !self.plan.types.contains(only)) {
                return Err(Hindrance::NoSuchType(only));
            }
            let types = self.plan.types.iter();
            let mut types = types.filter(|one| only.is_none_or(|only| only == **one));
            if !types.any(|candidate| candidate.facts().capacity().fits(*need)) {
                return Err(Hindrance::OverTypes);
            }
        }
        // The largest choose first: what is left fits the smaller ones.
        nodes.sort_by_key(|wanted| (Reverse(wanted.need), wanted.node));
        let mut sites: Vec<Option<Site>> = vec![None; nodes.len()];
        let used = if keeps_idle {
            self.take_idle(&mut nodes, &mut sites)
        } else {
            Vec::new()
        };
        let (reclaimed, new) = self.make(&nodes, &used)?;
        for (wanted, new) in nodes.iter().zip(new) {
            if let Some(site) = slot(&mut sites, wanted.node) {
                *site = Some(Site::New(new));
            }
        }
        Ok(GangPlan {
            environment: self.id,
            sites: sites.into_iter().flatten().collect(),
            reclaimed,
        })
    }

    /// Gives nodes the smallest idle instances that fit, and leaves those that find none.
    fn take_idle(&self, nodes: &mut Vec<Wanted>, sites: &mut [Option<Site>]) -> Vec<InstanceId> {
        let instances = self.environment.instances.iter();
        let idle =
            instances.filter(|(id, instance)| instance.is_idle() && !self.environment.is_outdated(**id));
        let mut idle: Vec<(Resources, InstanceId, InstanceTypeName)> = idle
            .map(|(id, instance)| (instance.capacity, *id, instance.instance_type))
            .collect();
        idle.sort();
        let mut used = Vec::new();
        nodes.retain(|Wanted { node, need, only }| {
            let is_for_it = |(capacity, _, instance_type): &(Resources, InstanceId, InstanceTypeName)| {
                capacity.fits(*need) && only.is_none_or(|only| only == *instance_type)
            };
            let Some(position) = idle.iter().position(is_for_it) else {
                return true;
            };
            let (_, instance, _) = idle.remove(position);
            used.push(instance);
            if let Some(site) = slot(sites, *node) {
                *site = Some(Site::Instance(instance));
            }
            false
        });
        used
    }

    /// New instances for all of `nodes`, and the idle ones that make room for them, without the `used` ones.
    #[expect(clippy::type_complexity, reason = "both halves of a plan, used once")]
    fn make(
        &self,
        nodes: &[Wanted],
        used: &[InstanceId],
    ) -> Result<(Vec<(EnvironmentId, InstanceId)>, Vec<NewInstance>), Hindrance> {
        let mut reclaimed = Vec::new();
        if nodes.is_empty() {
            return Ok((reclaimed, Vec::new()));
        }
        let needed = vcpus_of(nodes);
        let (vcpus_max, vcpus_now) = (self.plan.vcpus_max, self.environment.vcpus_now());
        let mut vcpus = vcpus_now;
        let spare = self.environment.instances.iter().rev();
        let mut spare = spare.filter(|(id, instance)| instance.is_idle() && !used.contains(id));
        while needed > vcpus_max.saturating_sub(vcpus) {
            let Some((instance_id, instance)) = spare.next() else {
                return Err(Hindrance::MaximumReached { vcpus_max, vcpus_now });
            };
            vcpus -= instance.capacity.vcpus.ceil();
            reclaimed.push((self.id, *instance_id));
        }
        let total = nodes
            .iter()
            .fold(Resources::default(), |sum, wanted| sum.plus(wanted.need));
        make_room_besides(self.fleet, total, Some(self.id), used, &mut reclaimed)?;
        let given_back = reclaimed
            .iter()
            .map(|(of, instance)| self.fleet.environment(*of).instances[instance].capacity);
        let mut free = given_back.fold(self.fleet.host_free(), Resources::plus);
        let mut vcpus_left = vcpus_max.saturating_sub(vcpus);
        let mut new_instances = Vec::new();
        for (index, Wanted { node: _, need, only }) in nodes.iter().enumerate() {
            // Each instance leaves the later ones what they need at least.
            let later = nodes.get(index + 1..).unwrap_or_default();
            let reserved = later
                .iter()
                .fold(Resources::default(), |sum, wanted| sum.plus(wanted.need));
            let room = free.minus(reserved);
            let whole = MilliVcpus::whole(vcpus_left.saturating_sub(vcpus_of(later)));
            let room = Resources {
                vcpus: room.vcpus.min(whole),
                ..room
            };
            let new = new_instance(self.plan, *only, *need, room).ok_or(Hindrance::OverTypes)?;
            free = free.minus(new.capacity);
            vcpus_left = vcpus_left.saturating_sub(new.capacity.vcpus.ceil());
            new_instances.push(new);
        }
        Ok((reclaimed, new_instances))
    }
}

/// Whole vCPUs of instances that have just what each node needs.
fn vcpus_of(nodes: &[Wanted]) -> u32 {
    nodes.iter().map(|wanted| wanted.need.vcpus.ceil()).sum()
}

fn slot(sites: &mut [Option<Site>], node: NodeIndex) -> Option<&mut Option<Site>> {
    sites.get_mut(usize::try_from(node).ok()?)
}
