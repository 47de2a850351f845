//! The closed list of what a finding can be about (P03, P16, P17, P22 to P24).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! categories {
    ($($(#[doc = $doc:literal])* $name:ident = $id:literal, $words:literal;)+) => {
        /// What kind of personal or sensitive datum a finding is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Category {
            $($(#[doc = $doc])* #[serde(rename = $id)] $name,)+
        }

        impl Category {
            /// Every category, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in rules and reports.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// The name in a notice to a teacher.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)+ }
            }
        }
    };
}

categories! {
    /// Unique Pupil Number, also temporary and former ones.
    Upn = "upn", "Unique Pupil Number";
    /// A pupil's name.
    PupilName = "pupil_name", "pupil name";
    /// A date of birth.
    Dob = "dob", "date of birth";
    /// Private phone, address or e-mail of a pupil or parent.
    Contact = "contact", "private contact details";
    /// NHS number.
    NhsNumber = "nhs_number", "NHS number";
    /// National Insurance number.
    Nino = "nino", "National Insurance number";
    /// Health.
    Health = "health", "health";
    /// Special educational needs.
    Sen = "sen", "special educational needs";
    /// Safeguarding, suspension, exclusion, looked-after status, care.
    Safeguarding = "safeguarding", "safeguarding";
    /// Ethnic origin, religion or belief.
    EthnicityReligion = "ethnicity_religion", "ethnicity or religion";
    /// Free school meals, pupil premium, arrears, bank details.
    Finance = "finance", "money matters";
    /// A colleague's health, pay or conduct.
    StaffHr = "staff_hr", "staff matters";
    /// A password.
    Password = "password", "password";
    /// Unique Learner Number.
    Uln = "uln", "Unique Learner Number";
    /// Teacher reference number.
    Trn = "trn", "teacher reference number";
    /// An allegation against a member of staff.
    Allegation = "allegation", "allegation";
    /// Criminal convictions and offences.
    Criminal = "criminal", "criminal matters";
    /// Political opinions, trade-union membership.
    PoliticsUnion = "politics_union", "politics or union membership";
    /// Sexual life or orientation.
    SexualLife = "sexual_life", "sexual life";
    /// Biometric or genetic data.
    BiometricGenetic = "biometric_genetic", "biometric or genetic data";
    /// Abusive, obscene or discriminatory language.
    Conduct = "conduct", "conduct";
    /// Chain letters and junk.
    ChainMail = "chain_mail", "chain mail";
    /// A protective marking or sensitivity label.
    Marking = "marking", "protective marking";
    /// A Common Transfer File.
    Ctf = "ctf", "pupil transfer file";
    /// A list of pupils.
    RollList = "roll_list", "list of pupils";
}
