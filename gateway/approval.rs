//! Who may see a held message, who decides it, and who comes next when nobody does.
//!
//! Nobody sees, is told of or decides a hold in which they are sender, recipient, or named by a
//! finding about a colleague (P06, P27). Pure: the approvers come from the configuration.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::detect::Category;
use crate::mail::Address;
use crate::mail::Sensitive;

/// What an approver is in the school.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides by default (P06).
    Headteacher,
    /// Joins after the escalation time.
    Deputy,
    /// Decides what the headteacher must not see, and mail to protected recipients.
    SafeguardingLead,
    /// Stands in where the safeguarding lead must not see it either.
    ChairOfGovernors,
    /// Decides about blocked types and the gateway's own faults.
    Admin,
}

impl Role {
    /// The name in the configuration and the store.
    pub fn id(self) -> &'static str {
        match self {
            Self::Headteacher => "headteacher",
            Self::Deputy => "deputy",
            Self::SafeguardingLead => "safeguarding_lead",
            Self::ChairOfGovernors => "chair_of_governors",
            Self::Admin => "admin",
        }
    }
}

/// A person who may decide holds.
#[derive(Debug, Clone)]
pub struct Approver {
    /// As written in the configuration, "Ann Field".
    pub name: Sensitive<String>,
    /// Where notices go, and by which the command line names them.
    pub address: Address,
    /// What they are in the school.
    pub role: Role,
}

/// What of a held message decides who may see it.
#[derive(Debug, Clone, Default)]
pub struct Stakes {
    /// The reverse path.
    pub sender: Option<Address>,
    /// Every address of the envelope and of the visible header, folded.
    pub addresses: Vec<String>,
    /// The words of the findings about colleagues ([`is_about_colleagues`]).
    pub about_colleagues: Vec<Sensitive<String>>,
    /// A recipient is a protected one (local authority's officer, Ofsted, ICO, union).
    pub protected: bool,
    /// The strictest reason is the admin's business (a blocked type, a lasting fault).
    pub technical: bool,
}

/// Whether this person may see, be told of and decide the hold.
pub fn may_see(approver: &Approver, stakes: &Stakes) -> bool {
    let own = approver.address.folded();
    let sends = stakes.sender.as_ref().is_some_and(|sender| sender.folded() == own);
    !sends && !stakes.addresses.contains(&own) && !is_named(approver, stakes)
}

/// The roles that decide, the first circle first and then the one it escalates to. A protected
/// recipient passes the headteacher by.
pub fn circles(stakes: &Stakes) -> [Role; 4] {
    use Role::{Admin, ChairOfGovernors, Deputy, Headteacher, SafeguardingLead};
    if stakes.protected {
        [SafeguardingLead, ChairOfGovernors, ChairOfGovernors, ChairOfGovernors]
    } else if stakes.technical {
        [Admin, Headteacher, Deputy, SafeguardingLead]
    } else {
        [Headteacher, Deputy, SafeguardingLead, ChairOfGovernors]
    }
}

/// The people who are told first: those of the first circle with somebody in it who may see it.
/// With a conflicted headteacher that is the safeguarding lead, not the deputy who reports to
/// them. Empty where the configuration names nobody suitable.
pub fn first_circle<'a>(approvers: &'a [Approver], stakes: &Stakes) -> Vec<&'a Approver> {
    let circles = circles(stakes);
    let after_conflict = [Role::SafeguardingLead, Role::ChairOfGovernors, Role::Deputy];
    let order = circles.iter().take(1).chain(&after_conflict).chain(&circles);
    order
        .map(|role| suitable(approvers, *role, stakes))
        .find(|some| !some.is_empty())
        .unwrap_or_default()
}

/// The people who join when the first circle has not decided in time.
pub fn second_circle<'a>(approvers: &'a [Approver], stakes: &Stakes) -> Vec<&'a Approver> {
    let first: Vec<&Address> = first_circle(approvers, stakes).iter().map(|a| &a.address).collect();
    let fresh = |approver: &&Approver| !first.contains(&&approver.address);
    circles(stakes)
        .iter()
        .skip(1)
        .map(|role| {
            suitable(approvers, *role, stakes).into_iter().filter(fresh).collect::<Vec<_>>()
        })
        .find(|some| !some.is_empty())
        .unwrap_or_default()
}

fn suitable<'a>(approvers: &'a [Approver], role: Role, stakes: &Stakes) -> Vec<&'a Approver> {
    approvers.iter().filter(|a| a.role == role && may_see(a, stakes)).collect()
}

/// Whether a category is about a colleague, so that whoever its finding names must not decide.
pub fn is_about_colleagues(category: Category) -> bool {
    matches!(category, Category::Allegation | Category::StaffHr | Category::Conduct)
}

/// A finding about a colleague whose words hold the approver's surname.
fn is_named(approver: &Approver, stakes: &Stakes) -> bool {
    let name = approver.name.expose().to_lowercase();
    let Some(surname) = name.split_whitespace().last() else { return false };
    stakes.about_colleagues.iter().any(|words| {
        let words = words.expose().to_lowercase();
        words.split(|c: char| !c.is_alphanumeric()).any(|word| word == surname)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approver(name: &str, address: &str, role: Role) -> Approver {
        let address = Address::parse(address).expect("an address");
        Approver { name: Sensitive::new(name.to_owned()), address, role }
    }

    fn staff() -> Vec<Approver> {
        vec![
            approver("Ann Field", "head@school.example", Role::Headteacher),
            approver("Bo Marsh", "deputy@school.example", Role::Deputy),
            approver("Cy Lane", "dsl@school.example", Role::SafeguardingLead),
            approver("Di Wood", "chair@school.example", Role::ChairOfGovernors),
            approver("Ed Hill", "admin@school.example", Role::Admin),
        ]
    }

    fn names<'a>(people: &[&'a Approver]) -> Vec<&'a str> {
        people.iter().map(|a| a.address.local_part()).collect()
    }

    #[test]
    fn the_head_decides_and_the_deputy_joins() {
        let staff = staff();
        let stakes = Stakes::default();
        assert_eq!(names(&first_circle(&staff, &stakes)), ["head"]);
        assert_eq!(names(&second_circle(&staff, &stakes)), ["deputy"]);
    }

    #[test]
    fn a_sender_or_recipient_never_decides() {
        let staff = staff();
        let head = Address::parse("Head@School.Example").expect("an address");
        let sent = Stakes { sender: Some(head), ..Stakes::default() };
        assert_eq!(names(&first_circle(&staff, &sent)), ["dsl"]);
        let addresses = vec!["head@school.example".to_owned(), "dsl@school.example".to_owned()];
        let received = Stakes { addresses, ..Stakes::default() };
        assert_eq!(names(&first_circle(&staff, &received)), ["chair"]);
    }

    #[test]
    fn whoever_an_allegation_names_is_passed_by() {
        let words = Sensitive::new("allegation against Ms Field".to_owned());
        let stakes = Stakes { about_colleagues: vec![words], ..Stakes::default() };
        assert_eq!(names(&first_circle(&staff(), &stakes)), ["dsl"]);
    }

    #[test]
    fn protected_recipients_and_technical_faults_have_circles_of_their_own() {
        let staff = staff();
        let protected = Stakes { protected: true, ..Stakes::default() };
        assert_eq!(names(&first_circle(&staff, &protected)), ["dsl"]);
        assert_eq!(names(&second_circle(&staff, &protected)), ["chair"]);
        let technical = Stakes { technical: true, ..Stakes::default() };
        assert_eq!(names(&first_circle(&staff, &technical)), ["admin"]);
    }
}
