"""People who sign in. Entra people are keyed by (tid, oid), never by an address; local accounts by a user name."""

from typing import Any, ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q


class Theme(models.TextChoices):
    """Light or dark, or what the person's system says."""

    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class UserManager(BaseUserManager["User"]):
    """Finds people by user name and makes local accounts."""

    def create_local(self, *, username: str, password: str, display_name: str = "", is_staff: bool = False) -> "User":
        """A local account with an Argon2id hash."""
        user = self.model(username=username, display_name=display_name or username, is_staff=is_staff)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """One person. ``is_staff`` opens the administration; tenants are opened by grants."""

    username = models.CharField(max_length=150, unique=True, null=True, blank=True, help_text="Local accounts only.")
    tid = models.UUIDField("Entra tenant id", null=True, blank=True)
    oid = models.UUIDField("Entra object id", null=True, blank=True)
    display_name = models.CharField(max_length=200)
    is_active = models.BooleanField("may sign in", default=True)
    is_staff = models.BooleanField("staff", default=False, help_text="May look after tenants, consent and people.")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="A name of the IANA time zone database.")
    theme = models.CharField(max_length=10, choices=Theme, default=Theme.SYSTEM)
    high_contrast = models.BooleanField(default=False, help_text="Also where the system does not ask for it.")
    single_keys = models.BooleanField(
        "shortcuts of one key", default=True, help_text="WCAG 2.1.4: can be switched off."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    class Meta:
        ordering = ["display_name"]
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(fields=["tid", "oid"], name="an_entra_person_exists_once"),
            models.CheckConstraint(
                condition=Q(tid__isnull=False, oid__isnull=False, username__isnull=True)
                | Q(tid__isnull=True, oid__isnull=True, username__isnull=False),
                name="a_person_is_either_from_entra_or_local",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def is_local(self) -> bool:
        """Whether the person signs in with a password of the portal's own: the break-glass way."""
        return self.oid is None

    def get_short_name(self) -> str:
        """What the page header shows."""
        return self.display_name

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Django admin's question: staff may open every page registered there; read-only ones refuse change."""
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        """Django admin's question about an app's section."""
        return self.is_active and self.is_staff


class Visit(models.Model):
    """One person in one browser, from sign-in to its end.

    The browser's session names its visit, and every request looks whether the visit may go on; so ending the row ends
    the session, and the session's own key need not be stored a second time.
    """

    class How(models.TextChoices):
        """By which way the person came in."""

        ENTRA = "entra", "Microsoft"
        LOCAL = "local", "Password"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="visits")
    how = models.CharField(max_length=10, choices=How)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="The last request that the person made, not an open page.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="The network address at sign-in.")
    browser = models.CharField(max_length=200, blank=True, help_text="What the browser calls itself.")
    alarm_due_at = models.DateTimeField(null=True, blank=True, help_text="A worker is to tell staff of this sign-in.")

    class Meta:
        ordering = ["-seen_at"]
        indexes = [
            models.Index(fields=["user"], condition=Q(ended_at=None), name="visits_that_go_on"),
            models.Index(
                fields=["alarm_due_at"], condition=Q(alarm_due_at__isnull=False), name="visits_to_alarm_about"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_why="") | (Q(ended_at__isnull=False) & ~Q(ended_why="")),
                name="a_visit_that_ended_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}, since {self.started_at:%Y-%m-%d %H:%M}"


class Tries(models.Model):
    """How often somebody has tried to sign in, per bucket: see ``accounts.lockout``.

    ``key`` is a hash: what people type as a user name is sometimes their password.
    """

    key = models.CharField(max_length=64, primary_key=True)
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "tries"

    def __str__(self) -> str:
        return f"{self.tries} tries"
