"""Filters for text that others wrote, and for times. Incident content comes from attackers: it is only ever plain text.

Every filter returns an ordinary string, which Django's autoescape then escapes; none returns safe markup.
"""

from django import template

from accounts import moments
from defender import plain_text

register = template.Library()

shown = register.filter(plain_text.shown)
shown_lines = register.filter(plain_text.shown_lines)
visible_lines = register.filter(plain_text.visible_lines)
defanged = register.filter(plain_text.defanged)
ago = register.filter(moments.ago)
exact = register.filter(moments.exact)
precise = register.filter(moments.precise)
clock = register.filter(moments.clock)
day_and_time = register.filter(moments.day_and_time)
iso = register.filter(moments.iso)
