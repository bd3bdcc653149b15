"""The attacks that happen in this world, told as steps: each step is one alert with the evidence it would carry.

Evidence words are read by `sandbox.evidence`; what stands after the colon is the word's argument.
"""

from dataclasses import dataclass

# serviceSource, detectionSource, alert id prefix: spellings seen in recorded answers and in the documentation's sample.
MDE = ("MicrosoftDefenderForEndpoint", "WindowsDefenderAtp", "da")
AV = ("MicrosoftDefenderForEndpoint", "WindowsDefenderAv", "da")
TI = ("MicrosoftDefenderATP", "CustomerTI", "da")
MDO = ("MicrosoftDefenderForOffice365", "OfficeATP", "fa")
ENTRA = ("AADIdentityProtection", "AAD", "ad")
CLOUD = ("MicrosoftCloudAppSecurity", "MCAS", "ca")
APPS = ("MicrosoftApplicationProtection", "AppGPolicy", "ma")


@dataclass(frozen=True)
class Step:
    """One alert, `minutes` after the one before; `on` is none, one (the same device) or next (the attacker moved)."""

    title: str
    text: str
    category: str
    severity: str
    source: tuple[str, str, str]
    techniques: tuple[str, ...]
    evidence: tuple[str, ...]
    minutes: int = 12
    on: str = "none"


@dataclass(frozen=True)
class Story:
    """A run of steps that becomes one incident; `weight` says how often, `several` whether it is multi-stage."""

    name: str
    weight: int
    steps: tuple[Step, ...]
    tags: tuple[str, ...] = ()
    actor: str | None = None
    family: str | None = None


PHISH_MAIL = Step(
    "Email messages containing malicious URL removed after delivery",
    "Mail with a link to a page that asks for credentials reached mailboxes and was taken out again.\nUsers may have "
    "clicked before that.",
    "InitialAccess",
    "Informational",
    MDO,
    ("T1566.002",),
    (
        "mail:Parcel waiting: confirm your address",
        "mailbox",
        "cluster:Subject;P2SenderDomain;ContentType",
        "url:login",
        "sender_ip",
    ),
)
PHISH_FILE = Step(
    "Malicious attachment opened by a user",
    "A document with a macro was opened from a mail that came from outside.",
    "InitialAccess",
    "Medium",
    MDO,
    ("T1566.001", "T1204.002"),
    ("mail:Overdue invoice 48813", "mailbox", "file:Invoice_48813.docm", "user"),
    on="one",
)
STRANGE_SIGN_IN = Step(
    "Unfamiliar sign-in properties",
    "The sign-in has properties that were not seen for this person before: place, network, browser.",
    "InitialAccess",
    "High",
    ENTRA,
    ("T1078", "T1078.004"),
    ("user", "attacker_ip"),
)
TRAVEL = Step(
    "Impossible travel activity",
    "The same person was active from two places too far apart for the time between.",
    "InitialAccess",
    "Medium",
    CLOUD,
    ("T1078",),
    ("user", "attacker_ip", "sender_ip"),
)
MACRO_SHELL = Step(
    "Suspicious PowerShell command line",
    "An Office program started PowerShell with options that hide what it does.",
    "Execution",
    "Medium",
    MDE,
    ("T1059.001", "T1027"),
    ("tree:explorer.exe>winword.exe>powershell.exe", "file:update.ps1", "user", "attacker_ip"),
    on="one",
)
DUMP = Step(
    "Credential dumping activity observed",
    "A process read the memory of the local security authority.",
    "CredentialAccess",
    "High",
    MDE,
    ("T1003", "T1003.001"),
    ("tree:powershell.exe>rundll32.exe", "file:lsass.dmp", "user"),
    minutes=25,
    on="one",
)
MOVE = Step(
    "Suspicious remote activity",
    "A service was created on this device from another device, with an administrator's account.",
    "LateralMovement",
    "High",
    MDE,
    ("T1021.002", "T1569.002"),
    ("tree:services.exe>cmd.exe>psexesvc.exe", "user", "internal_ip"),
    minutes=40,
    on="next",
)
BEACON = Step(
    "Connection to a command-and-control address",
    "A process keeps asking an address outside for instructions, at even intervals.",
    "CommandAndControl",
    "High",
    MDE,
    ("T1071.001", "T1573"),
    ("process:rundll32.exe", "attacker_ip", "url:beacon"),
    on="one",
)
SHADOWS = Step(
    "File backups were deleted",
    "Shadow copies were removed, as ransomware does before it encrypts.",
    "Impact",
    "Medium",
    MDE,
    ("T1490",),
    ("tree:cmd.exe>vssadmin.exe",),
    minutes=18,
    on="one",
)
ENCRYPT = Step(
    "Ransomware behavior detected in the file system",
    "Many files were rewritten and renamed within minutes.",
    "Ransomware",
    "High",
    MDE,
    ("T1486",),
    ("process:locker.exe", "file:locker.exe", "file:HOW_TO_RECOVER.txt", "registry"),
    minutes=4,
    on="one",
)
BLOCKED = Step(
    "'Trojan' malware was prevented",
    "The antivirus stopped a file before it ran.",
    "Malware",
    "Informational",
    AV,
    (),
    ("file:setup_free.exe", "user"),
    on="one",
)
ACTIVE = Step(
    "An active 'Backdoor' malware process was detected while executing",
    "The antivirus found a running process; it was stopped.",
    "Malware",
    "Medium",
    AV,
    ("T1059",),
    ("tree:explorer.exe>svchosts.exe", "file:svchosts.exe"),
    on="one",
)
WORM = Step(
    "Worm spreading through removable media",
    "A shortcut on a USB drive started an installer that asked a host outside for more.",
    "Execution",
    "Medium",
    MDE,
    ("T1091", "T1218.007"),
    ("tree:cmd.exe>msiexec.exe", "url:stage", "attacker_ip", "registry"),
    on="one",
)
REPORTED = Step(
    "Email reported by user as malware or phish",
    "A person reported a message.",
    "InitialAccess",
    "Low",
    MDO,
    (),
    ("mail:[EXTERNAL] Payroll update", "mailbox", "cluster:BodyFingerprintBin1;SenderIp;ContentType", "sender_ip"),
)
INBOX_RULE = Step(
    "Suspicious inbox manipulation rule",
    "A rule moves mail about payments into a folder that nobody opens.",
    "Collection",
    "Medium",
    CLOUD,
    ("T1114.003", "T1564.008"),
    ("user", "mailbox", "attacker_ip"),
    minutes=55,
)
MASS_DOWNLOAD = Step(
    "Mass download by a single user",
    "Far more files than usual were downloaded within an hour.",
    "Exfiltration",
    "Medium",
    CLOUD,
    ("T1530",),
    ("user", "attacker_ip"),
    minutes=35,
)
OAUTH = Step(
    "App with unusual consent and high-privilege permissions",
    "A newly consented application reads every mailbox.",
    "Persistence",
    "Medium",
    APPS,
    ("T1098.003", "T1528"),
    ("app", "user", "group"),
)
WEBSHELL = Step(
    "Possible web shell installation",
    "The web server's worker wrote a script into its own folder and then ran commands.",
    "Exploit",
    "High",
    MDE,
    ("T1505.003", "T1190"),
    ("tree:w3wp.exe>cmd.exe>whoami.exe", "file:help.aspx", "attacker_ip"),
    on="one",
)
INDICATOR = Step(
    "Connection to a custom network indicator",
    "A device asked for an address on the organisation's own list.",
    "CommandAndControl",
    "Low",
    TI,
    (),
    ("url:listed", "process:chrome.exe"),
    on="one",
)
QUIET = Step(
    "Unusual number of failed sign-ins",
    "Several failed sign-ins came from one network.",
    "None",
    "UnSpecified",
    ENTRA,
    ("T1110.003",),
    ("user", "attacker_ip"),
)

STORIES: tuple[Story, ...] = (
    Story(
        "Multi-stage incident involving Initial access & Ransomware on multiple endpoints reported by multiple sources",
        5,
        (PHISH_FILE, MACRO_SHELL, STRANGE_SIGN_IN, DUMP, BEACON, MOVE, DUMP, MOVE, SHADOWS, ENCRYPT, ENCRYPT),
        tags=("Ransomware", "Major incident"),
        actor="Storm-0000 (invented)",
        family="Locker",
    ),
    Story("Credential phishing campaign with sign-in from a new country", 9, (PHISH_MAIL, STRANGE_SIGN_IN, INBOX_RULE)),
    Story("Business e-mail compromise involving one user", 6, (STRANGE_SIGN_IN, TRAVEL, INBOX_RULE, MASS_DOWNLOAD)),
    Story("Email messages containing malicious URL removed after delivery", 18, (PHISH_MAIL,)),
    Story("Email reported by user as malware or phish", 22, (REPORTED,)),
    Story("Unfamiliar sign-in properties involving one user", 16, (STRANGE_SIGN_IN,)),
    Story("Impossible travel activity involving one user", 8, (TRAVEL,)),
    Story("'Trojan' malware was prevented on one endpoint", 20, (BLOCKED,), family="Trojan"),
    Story("Active malware on one endpoint", 8, (ACTIVE, BLOCKED), family="Backdoor"),
    Story("Suspicious PowerShell command line on one endpoint", 10, (MACRO_SHELL, BEACON)),
    Story("Removable-media worm on one endpoint", 4, (WORM, BEACON), family="UsbWorm"),
    Story("Web shell on an internet-facing server", 4, (WEBSHELL, DUMP, MOVE), tags=("Internet-facing",)),
    Story("Suspicious OAuth application", 4, (OAUTH,)),
    Story("Mass download by a single user", 5, (MASS_DOWNLOAD,)),
    Story("Connection to a custom network indicator", 8, (INDICATOR,)),
    Story("Unusual number of failed sign-ins", 5, (QUIET,)),
)
