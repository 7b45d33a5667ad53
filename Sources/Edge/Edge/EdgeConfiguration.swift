public import Environment
public import WebSocket

/// What may be set at the edge. Every value has a default that suits one machine on the internet.
public struct EdgeConfiguration: Sendable {
    /// Origins besides the own one that browsers may call from: `https://school.example`. Empty.
    public var allowedOrigins: Set<String> = []
    /// Largest request body, bytes. 64 KiB.
    public var maxBodyBytes = 64 * 1024
    /// Bodies larger than that, of routes that allow them, which may arrive at once. 16.
    public var maxLargeBodies = 16
    /// Deadline of a call, and the longest time for a body to arrive. 10 s.
    public var requestTimeout = Duration.seconds(10)
    /// From the first byte of a request to the end of its head. 10 s.
    public var headerTimeout = Duration.seconds(10)
    /// A connection without a request is closed after this time. 75 s.
    public var idleTimeout = Duration.seconds(75)
    /// How long a client may leave an answer unread. 30 s.
    public var writeTimeout = Duration.seconds(30)
    /// HTTP connections at once; more are closed at once. 16,384.
    public var maxConnections = 16_384
    /// State-changing public calls (registration, sign-in) per client address.
    public var publicRate = RateLimit.publicWriting
    /// All requests per client address.
    public var overallRate = RateLimit.publicReading
    /// Client addresses whose rates are remembered. 8,192.
    public var rateTableSize = 8192
    /// Field in which a trusted proxy names the client, its last member counts: `x-forwarded-for`.
    /// None: the socket's address is the client's.
    public var clientAddressField: String?
    /// The cookie that holds a session.
    public var sessionCookieName = "session_id"
    /// Adds `Secure` to the cookie; set it where the site is served by https. False.
    public var cookieSecure = false
    /// How long a verified session is believed without asking again. 25 s.
    public var sessionCacheTime = Duration.seconds(25)
    /// How often sessions of open admin sockets are verified again. 25 s, so that a
    /// revocation counts within 60 s everywhere.
    public var sessionRecheck = Duration.seconds(25)
    /// The folder of the pages. None: `janji_Pages.resources/Web` beside the executable.
    public var webRoot: String?
    /// The captcha that the pages show. None: they load nothing from elsewhere.
    public var captcha: CaptchaWidget?
    /// Ping every 30 s, dead after 10 s without a frame.
    public var heartbeat = HeartbeatPolicy.Configuration()
    /// Open WebSockets per client address. 2,048; 0 is without limit.
    public var maxSocketsPerAddress = 2048
    /// Bytes of events that wait for one slow socket before it is closed with 4008. 256 KiB.
    public var maxSocketQueueBytes = 256 * 1024
    /// Subscriptions of one socket. 32.
    public var maxSubscriptions = 32
    /// Values in all filters of one subscription. 64.
    public var maxFilterValues = 64
    /// Largest message of a WebSocket client, bytes. 4 KiB.
    public var maxSocketMessageBytes = 4096
    /// Messages of one WebSocket client. 40 at once, 10/s; beyond that the socket is closed.
    public var socketMessageRate = RateLimit(burst: 40, perSecond: 10)
    /// First and longest pause before the event stream is opened again. 0.1 s and 5 s.
    public var feedBackoff: ClosedRange<Duration> = .milliseconds(100) ... .seconds(5)
    /// How long requests may take to finish when the edge stops. 10 s.
    public var drainGrace = Duration.seconds(10)
    /// What `/health` calls this process.
    public var serviceName = "gateway"

    public init() {}
}
