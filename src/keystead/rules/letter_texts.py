"""The words of the built-in messages, by language. An administrator's own template replaces them (EM-2).

Each is a subject, a first line, what the button says (empty where there is never anything to press), and a last line.
They are Liquid, like the templates that they fill.
"""

from typing import Final, NamedTuple

from keystead.rules.messages import TemplateName


class Words(NamedTuple):
    """One message in one language."""

    subject: str
    lead: str
    button: str
    close: str


ENGLISH: Final[dict[TemplateName, Words]] = {
    "verify_email": Words(
        "Confirm your email address",
        "Please confirm that {{ address }} is your address.",
        "Confirm this address",
        "If you did not sign up, open the link and choose “This was not me”, or ignore this message.",
    ),
    "verify_email_by_code": Words(
        "{{ code }} is your code",
        "Enter this code to confirm {{ address }}: {{ code }}",
        "",
        "It works once, for {{ minutes }} minutes. If you did not ask for it, ignore this message.",
    ),
    "reset_email": Words(
        "Choose a new password",
        "Somebody, we hope you, asked for a new password for {{ address }}.",
        "Choose a new password",
        "The link works once. If it was not you, ignore this message: nothing changes.",
    ),
    "reset_email_by_code": Words(
        "{{ code }} is your code",
        "Enter this code to choose a new password for {{ address }}: {{ code }}",
        "",
        "It works once, for {{ minutes }} minutes. If it was not you, ignore this message: nothing changes.",
    ),
    "welcome_email": Words(
        "Welcome to {{ application.name }}",
        "Your account for {{ address }} is ready.",
        "",
        "You can sign in whenever you like.",
    ),
    "signup_attempt": Words(
        "You have an account already",
        "Somebody, perhaps you, tried to sign up with {{ address }}. You have an account with it.",
        "",
        "Sign in instead, or ask there for another way in. If it was not you, there is nothing to do.",
    ),
    "stolen_credentials": Words(
        "A password was published in a data breach",
        "{% if what %}{{ what }}{% else %}The password of your account for {{ user.email }} was published in a data "
        "breach somewhere else. Whoever reads such lists can try it here.{% endif %}",
        "",
        "{% if what %}You get this mail because you administer {{ tenant }}.{% else %}Choose a new password, here and "
        "wherever you used the same one: follow “Forgot your password?” where you sign in.{% endif %}",
    ),
    "security_notice": Words(
        "{% if happened == 'passkey_added' %}A passkey was added to your account"
        "{% elsif happened == 'passkey_removed' %}A passkey was removed from your account"
        "{% elsif happened == 'passkey_quarantined' %}A passkey of your account was taken out of use"
        "{% else %}Your password was changed{% endif %}",
        "{% if happened == 'passkey_added' %}A passkey was added to your account: {{ passkey }}"
        "{% elsif happened == 'passkey_removed' %}A passkey was removed from your account: {{ passkey }}"
        "{% elsif happened == 'passkey_quarantined' %}A passkey of your account was taken out of use: {{ passkey }}"
        "{% else %}The password of your account was changed{% endif %}{% if device %} ({{ device }}){% endif %}.",
        "See your passkeys",
        "{% if happened == 'passkey_quarantined' %}You were signed out everywhere. If you know nothing of it,{% else %}"
        "If it was not you, {% if happened == 'passkey_added' %}remove it now, choose a new password if you have one,"
        "{% elsif happened == 'passkey_removed' %}sign in, see what else is different,"
        "{% else %}choose a new password now{% endif %} and{% endif %} tell whoever runs {{ application.name }}.",
    ),
    "passkey_recovery_by_code": Words(
        "{{ code }} is your code",
        "Enter this code to create a new passkey for your account: {{ code }}",
        "",
        "It works once, for {{ minutes }} minutes, on the page where it was asked for. Never tell it to anybody. If "
        "you did not ask for it, ignore this message: nothing changes.",
    ),
    "passkey_recovered": Words(
        "Your account was recovered",
        "Somebody, we hope you, created a new passkey for your account with a code that was sent to you."
        "{% if removed %} The passkeys that you had were removed.{% endif %} You were signed out everywhere.",
        "",
        "If it was not you, secure your mailbox and your phone first. Then sign in and remove passkeys that are not "
        "yours, or follow “Can't sign in?”; and tell whoever runs {{ application.name }}.",
    ),
    "password_removed": Words(
        "Your password was removed",
        "The password of your account was removed. You sign in with your passkey from now on.",
        "",
        "If it was not you, sign in, remove passkeys that are not yours, and tell whoever runs {{ application.name }}.",
    ),
    "passkey_upgrade": Words(
        "You can sign in without a password now",
        "When you signed in with your password, your browser{% if device %} ({{ device }}){% endif %} created a "
        "passkey for your account {{ address }}. Next time you sign in with your fingerprint, face or screen lock.",
        "Remove this passkey",
        "If that is fine, there is nothing to do. If you do not want it, remove it with the link, which works for "
        "{{ days }} days. If it was not you who signed in, choose a new password as well.",
    ),
    "blocked_account": Words(
        "Somebody tried wrong passwords for your account",
        "Somebody, perhaps you, tried wrong passwords for your account ({{ address }}) too often"
        "{% if user.source_ip %}, from the address {{ user.source_ip }}{% endif %}."
        "{% if blocks %} Further tries are refused for now.{% endif %}",
        "Unblock my account",
        "{% if url %}If it was you, or if you cannot sign in now, open the link on the device where you want to sign "
        "in: it works once. If you can sign in, there is nothing to do.{% else %}You can sign in as before.{% endif %}",
    ),
    "blocked_address": Words(
        "{% if stage == 'signup' %}Too many sign-ups{% else %}Too many failed sign-ins{% endif %} from one address",
        "{% if stage == 'signup' %}More sign-ups came{% else %}More failed sign-ins came{% endif %} from the address "
        "{{ ip }} than one address may have.{% if blocks %} Further tries from there are refused for now.{% endif %}",
        "",
        "You get this mail because you administer {{ tenant }}. The journal says who was tried from there. If it is an "
        "office or a gateway of your own, add it to the allowlist.",
    ),
    "users_import": Words(
        "{% if failed %}An import of users failed{% elsif dry_run %}The rehearsal of an import is over{% else %}"
        "An import of users is over{% endif %}",
        "The job {{ job }} of the connection {{ connection.name }} is over: {{ summary.inserted }} users "
        "{% if dry_run %}would be {% endif %}new, {{ summary.updated }} changed, {{ summary.failed }} refused.",
        "",
        "You get this mail because you administer {{ tenant }}. What was refused, and why, is kept for a day: "
        "keystead jobs errors {{ job }}",
    ),
    "user_invitation": Words(
        "You are invited to administer {{ tenant }}",
        "Somebody who administers {{ tenant }} wants you to do so too, as {{ user.email }}.",
        "Choose your password",
        "The link works once, for {{ days }} days. If you expect no such invitation, ignore this message.",
    ),
}

GERMAN: Final[dict[TemplateName, Words]] = {
    "verify_email": Words(
        "Bestätigen Sie Ihre E-Mail-Adresse",
        "Bitte bestätigen Sie, dass {{ address }} Ihre Adresse ist.",
        "Adresse bestätigen",
        "Wenn Sie sich nicht angemeldet haben, öffnen Sie den Link und wählen Sie „Das war ich nicht“.",
    ),
    "verify_email_by_code": Words(
        "{{ code }} ist Ihr Code",
        "Geben Sie diesen Code ein, um {{ address }} zu bestätigen: {{ code }}",
        "",
        "Er gilt einmal, {{ minutes }} Minuten lang. Wenn Sie ihn nicht angefordert haben, ist nichts zu tun.",
    ),
    "reset_email": Words(
        "Wählen Sie ein neues Passwort",
        "Jemand, hoffentlich Sie, hat ein neues Passwort für {{ address }} angefordert.",
        "Neues Passwort wählen",
        "Der Link gilt einmal. Wenn Sie es nicht waren, ist nichts zu tun: Es ändert sich nichts.",
    ),
    "reset_email_by_code": Words(
        "{{ code }} ist Ihr Code",
        "Geben Sie diesen Code ein, um ein neues Passwort für {{ address }} zu wählen: {{ code }}",
        "",
        "Er gilt einmal, {{ minutes }} Minuten lang. Wenn Sie es nicht waren, ist nichts zu tun.",
    ),
    "welcome_email": Words(
        "Willkommen bei {{ application.name }}",
        "Ihr Konto für {{ address }} ist bereit.",
        "",
        "Sie können sich anmelden.",
    ),
    "signup_attempt": Words(
        "Sie haben schon ein Konto",
        "Jemand, vielleicht Sie, wollte sich mit {{ address }} registrieren. Zu ihr gibt es schon ein Konto.",
        "",
        "Melden Sie sich an, oder fordern Sie dort einen neuen Zugang an. Wenn Sie es nicht waren, ist nichts zu tun.",
    ),
    "stolen_credentials": Words(
        "Ein Passwort wurde in einem Datenleck veröffentlicht",
        "{% if what %}{{ what }}{% else %}Das Passwort Ihres Kontos für {{ user.email }} wurde anderswo in einem "
        "Datenleck veröffentlicht. Wer solche Listen liest, kann es hier ausprobieren.{% endif %}",
        "",
        "{% if what %}Sie bekommen diese Nachricht, weil Sie {{ tenant }} verwalten.{% else %}Wählen Sie ein neues "
        "Passwort, hier und überall, wo Sie dasselbe benutzt haben: über „Forgot your password?“ bei der "
        "Anmeldung.{% endif %}",
    ),
    "security_notice": Words(
        "{% if happened == 'passkey_added' %}Ihr Konto hat einen neuen Passkey"
        "{% elsif happened == 'passkey_removed' %}Ein Passkey Ihres Kontos wurde entfernt"
        "{% elsif happened == 'passkey_quarantined' %}Ein Passkey Ihres Kontos wurde gesperrt"
        "{% else %}Ihr Passwort wurde geändert{% endif %}",
        "{% if happened == 'passkey_added' %}Ihr Konto hat einen neuen Passkey: {{ passkey }}"
        "{% elsif happened == 'passkey_removed' %}Ein Passkey Ihres Kontos wurde entfernt: {{ passkey }}"
        "{% elsif happened == 'passkey_quarantined' %}Ein Passkey Ihres Kontos wurde gesperrt: {{ passkey }}"
        "{% else %}Das Passwort Ihres Kontos wurde geändert{% endif %}{% if device %} ({{ device }}){% endif %}.",
        "Zu Ihren Passkeys",
        "{% if happened == 'passkey_quarantined' %}Sie wurden überall abgemeldet. Wenn Sie davon nichts wissen,"
        "{% else %}Wenn Sie es nicht waren, {% if happened == 'passkey_added' %}entfernen Sie ihn jetzt, "
        "wählen Sie ein neues Passwort, falls Sie eines haben,"
        "{% elsif happened == 'passkey_removed' %}melden Sie sich an, sehen Sie nach, "
        "was sonst anders ist,{% else %}wählen Sie jetzt ein neues Passwort{% endif %} und{% endif %} melden Sie es "
        "{{ application.name }}.",
    ),
    "passkey_recovery_by_code": Words(
        "{{ code }} ist Ihr Code",
        "Geben Sie diesen Code ein, um einen neuen Passkey für Ihr Konto zu erstellen: {{ code }}",
        "",
        "Er gilt einmal, {{ minutes }} Minuten lang, auf der Seite, auf der er angefordert wurde. Geben Sie ihn nicht "
        "weiter. Wenn Sie ihn nicht angefordert haben, ist nichts zu tun: Es ändert sich nichts.",
    ),
    "passkey_recovered": Words(
        "Ihr Konto wurde wiederhergestellt",
        "Jemand, hoffentlich Sie, hat mit einem Code, der Ihnen geschickt wurde, einen neuen Passkey für Ihr Konto "
        "erstellt.{% if removed %} Ihre bisherigen Passkeys wurden entfernt.{% endif %} Sie wurden überall abgemeldet.",
        "",
        "Wenn Sie es nicht waren, sichern Sie zuerst Ihr Postfach und Ihr Telefon. Melden Sie sich dann an und "
        "entfernen Sie fremde Passkeys, oder folgen Sie „Can't sign in?“; und melden Sie es {{ application.name }}.",
    ),
    "password_removed": Words(
        "Ihr Passwort wurde entfernt",
        "Das Passwort Ihres Kontos wurde entfernt. Sie melden sich von nun an mit Ihrem Passkey an.",
        "",
        "Wenn Sie es nicht waren, melden Sie sich an, entfernen Sie fremde Passkeys und melden Sie es "
        "{{ application.name }}.",
    ),
    "passkey_upgrade": Words(
        "Sie können sich jetzt ohne Passwort anmelden",
        "Als Sie sich mit Ihrem Passwort angemeldet haben, hat Ihr Browser{% if device %} ({{ device }}){% endif %} "
        "einen Passkey für Ihr Konto {{ address }} erstellt. Das nächste Mal genügen Fingerabdruck, Gesicht oder "
        "Bildschirmsperre.",
        "Diesen Passkey entfernen",
        "Wenn Ihnen das recht ist, ist nichts zu tun. Wenn nicht, entfernen Sie ihn mit dem Link, der {{ days }} Tage "
        "lang gilt. Wenn nicht Sie sich angemeldet haben, wählen Sie auch ein neues Passwort.",
    ),
    "blocked_account": Words(
        "Jemand hat falsche Passwörter für Ihr Konto versucht",
        "Jemand, vielleicht Sie, hat zu oft falsche Passwörter für Ihr Konto ({{ address }}) versucht"
        "{% if user.source_ip %}, von der Adresse {{ user.source_ip }}{% endif %}."
        "{% if blocks %} Weitere Versuche werden vorerst abgewiesen.{% endif %}",
        "Mein Konto entsperren",
        "{% if url %}Wenn Sie es waren oder sich jetzt nicht anmelden können, öffnen Sie den Link auf dem Gerät, auf "
        "dem Sie sich anmelden möchten: Er gilt einmal. Wenn Sie sich anmelden können, ist nichts zu tun.{% else %}Sie "
        "können sich wie bisher anmelden.{% endif %}",
    ),
    "blocked_address": Words(
        "Zu viele {% if stage == 'signup' %}Registrierungen{% else %}gescheiterte Anmeldungen{% endif %} von einer "
        "Adresse",
        "Von der Adresse {{ ip }} kamen mehr {% if stage == 'signup' %}Registrierungen{% else %}gescheiterte "
        "Anmeldungen{% endif %}, als eine Adresse haben darf.{% if blocks %} Weitere Versuche von dort werden vorerst "
        "abgewiesen.{% endif %}",
        "",
        "Sie bekommen diese Nachricht, weil Sie {{ tenant }} verwalten. Das Journal sagt, wer von dort aus versucht "
        "wurde. Wenn es ein eigenes Büro oder Gateway ist, nehmen Sie es in die Liste der erlaubten Adressen auf.",
    ),
    "users_import": Words(
        "{% if failed %}Ein Import von Benutzern ist gescheitert{% elsif dry_run %}Die Probe eines Imports ist zu Ende"
        "{% else %}Ein Import von Benutzern ist zu Ende{% endif %}",
        "Der Auftrag {{ job }} der Verbindung {{ connection.name }} ist zu Ende: {{ summary.inserted }} Benutzer "
        "{% if dry_run %}wären {% endif %}neu, {{ summary.updated }} geändert, {{ summary.failed }} abgelehnt.",
        "",
        "Sie bekommen diese Nachricht, weil Sie {{ tenant }} verwalten. Was abgelehnt wurde, und warum, bleibt einen "
        "Tag lang erhalten: keystead jobs errors {{ job }}",
    ),
    "user_invitation": Words(
        "Sie sind eingeladen, {{ tenant }} zu verwalten",
        "Jemand, der {{ tenant }} verwaltet, möchte, dass auch Sie es tun, als {{ user.email }}.",
        "Passwort wählen",
        "Der Link gilt einmal, {{ days }} Tage lang. Wenn Sie keine solche Einladung erwarten, ist nichts zu tun.",
    ),
}

LANGUAGES: Final = {"en": ENGLISH, "de": GERMAN}
"""What is built in. Any other language is a matter of an administrator's template, which knows ``request_language``."""
