"""People who sign in. Entra people are keyed by (tid, oid), never by an address; local accounts by a user name."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q


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
    time_zone = models.CharField(max_length=64, default="UTC")
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

    def get_short_name(self) -> str:
        """What the page header shows."""
        return self.display_name

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Django admin's question: staff may open every page registered there; read-only ones refuse change."""
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        """Django admin's question about an app's section."""
        return self.is_active and self.is_staff

    def has_perms(self, perms: Any, obj: Any = None) -> bool:
        """Django admin's question about several permissions at once."""
        return self.is_active and self.is_staff
