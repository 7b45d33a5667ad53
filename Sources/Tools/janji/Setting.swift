/// One environment variable: its name, what it means, and what it is when nobody sets it.
struct Setting: Sendable {
    let name: String
    let help: String
    /// Shown in the help; nil when there is no default.
    let fallback: String?

    init(_ name: String, _ help: String, default fallback: String? = nil) {
        self.name = name
        self.help = help
        self.fallback = fallback
    }

    static let port = Setting(
        "JANJI_PORT", "port of the gateway: pages, JSON, WebSocket and gRPC", default: "3000")
    static let host = Setting(
        "JANJI_HOST", "address that every role listens on", default: "127.0.0.1")
    static let data = Setting(
        "JANJI_DATA", "folder of the private database, secrets and logs", default: ".janji")
    static let logLevel = Setting(
        "JANJI_LOG", "debug, info, warning or error", default: "info")
    static let databaseURL = Setting(
        "DATABASE_URL",
        "libpq URI of a PostgreSQL 15 whose user may create schemas and roles; "
            + "absent: `up` starts a private one")
    static let databasePool = Setting(
        "JANJI_POOL", "database connections of each service", default: "8")
    static let kafkaBrokers = Setting(
        "KAFKA_BROKERS", "host:port,… of a Kafka cluster; absent: `up` embeds a broker")
    static let kafkaGroup = Setting(
        "KAFKA_GROUP_ID", "prefix of consumer group and client names", default: "janji")
    static let kafkaPort = Setting(
        "JANJI_KAFKA_PORT", "loopback port of the embedded broker", default: "19092")
    static let jwtSecret = Setting(
        "SERVICE_JWT_SECRET",
        "key of the tokens between services, at least 32 bytes; "
            + "absent: `up` makes one and keeps it in the data folder")
    static let allowedOrigins = Setting(
        "ALLOWED_ORIGINS", "further origins for browsers, separated by commas", default: "")
    static let adminEmail = Setting(
        "ADMIN_EMAIL", "login of the first admin", default: "admin@janji.local")
    static let adminPassword = Setting(
        "ADMIN_PASSWORD", "its password; absent: `up` makes one and keeps it in the data folder")
    static let defaultZone = Setting(
        "DEFAULT_TZ", "IANA zone of courses that name none", default: "Asia/Jakarta")
    static let demo = Setting("JANJI_DEMO", "`up` loads demo data: on or off", default: "on")
    static let rateLimit = Setting(
        "JANJI_RATE_LIMIT", "limits per client address: on or off", default: "on")
    static let cookieSecure = Setting(
        "JANJI_COOKIE_SECURE", "on where browsers come by https: on or off", default: "off")
    static let certificate = Setting(
        "JANJI_TLS_CERTIFICATE",
        "PEM file of the certificate and its chain: every port speaks TLS, for gRPC and browsers; "
            + "read again when it changes")
    static let certificateKey = Setting("JANJI_TLS_KEY", "PEM file of its key")
    static let certificateAuthority = Setting(
        "JANJI_TLS_CA",
        "PEM file of the authority of the services: neighbours are trusted by it, and every port "
            + "but the gateway's wants a client certificate of it; absent: the system's, and none")
    static let captcha = Setting(
        "CAPTCHA_PROVIDER",
        "who tells people from programs at registrations and uploads: turnstile, hcaptcha, "
            + "recaptcha (version 2); none: everybody passes", default: "none")
    static let captchaSecret = Setting(
        "CAPTCHA_SECRET", "our secret key at that provider; the booking role needs it")
    static let captchaSiteKey = Setting(
        "CAPTCHA_SITE_KEY", "our public key at that provider; the gateway's pages show it")
    static let captchaURL = Setting(
        "CAPTCHA_VERIFY_URL", "its siteverify; absent: the provider's own address")
    static let site = Setting(
        "JANJI_SITE_URL",
        "where customers find the site, https://school.example: payment pages lead back there",
        default: "")
    static let midtransKey = Setting(
        "JANJI_MIDTRANS_SERVER_KEY", "server key of Midtrans; absent: no payments by it")
    static let midtransSnap = Setting(
        "JANJI_MIDTRANS_SNAP_URL", "where Midtrans makes payment pages",
        default: "https://app.midtrans.com")
    static let midtransCore = Setting(
        "JANJI_MIDTRANS_API_URL", "where Midtrans tells states and takes refunds",
        default: "https://api.midtrans.com")
    static let xenditKey = Setting(
        "JANJI_XENDIT_SECRET_KEY", "secret key of Xendit; absent: no payments by it")
    static let xenditToken = Setting(
        "JANJI_XENDIT_CALLBACK_TOKEN", "the token that Xendit shows with its callbacks")
    static let xenditURL = Setting(
        "JANJI_XENDIT_URL", "where Xendit is found", default: "https://api.xendit.co")
    static let fakePayments = Setting(
        "JANJI_FAKE_PAYMENTS",
        "loopback port of the pretended payment provider that `up` runs while none is configured; "
            + "0: any free one; off: none", default: "0")
    static let archiveDays = Setting(
        "JANJI_ARCHIVE_DAYS",
        "bookings that ended so many days ago (180 and more), their money settled, move to the archive; "
            + "0: none",
        default: "400")
    static let slotAlarm = Setting(
        "JANJI_SLOT_ALARM_HOURS",
        "confirmed requests without a slot are warned of, and marked in /admin, after so many hours",
        default: "24")
    static let redis = Setting("REDIS_URL", "accepted and ignored: nothing is kept in Redis (X-31)")
    static let webPort = Setting("WS_PORT", "accepted as another name of NOTIFICATION_PORT")

    static let general: [Setting] = [
        port, host, data, logLevel, databaseURL, databasePool, kafkaBrokers, kafkaGroup, kafkaPort,
        jwtSecret, allowedOrigins, adminEmail, adminPassword, defaultZone, demo, rateLimit,
        cookieSecure, certificate, certificateKey, certificateAuthority, captcha,
        captchaSecret, captchaSiteKey, captchaURL, site,
        midtransKey, midtransSnap, midtransCore, xenditKey, xenditToken, xenditURL, fakePayments,
        archiveDays, slotAlarm, redis, webPort,
    ]

    static var all: [Setting] { general + Role.allCases.flatMap(\.settings) }
}
