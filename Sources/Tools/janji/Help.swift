/// The texts of `--help`.
enum Help {
    static func text(_ topic: String?) -> String {
        switch topic {
        case "token": token
        case "events": events + "\n" + variables
        case "migrate": migrate + "\n" + variables
        case "serve": serve + "\n" + variables
        default: general + "\n" + variables
        }
    }

    private static let general = """
        janji: a booking backend that keeps its promises

          janji up                 the whole system in one process, with a private PostgreSQL and
                                   an embedded Kafka broker unless real ones are named
          janji serve ROLE…        chosen roles on their ports: \(Role.names)
          janji migrate [--plan]   brings the database named by DATABASE_URL up to date
          janji events …           published events: list, publish again, send dead letters back
          janji token AUDIENCE [ADMIN]
                                   prints a token for gRPC calls as an admin, valid for minutes
          janji COMMAND --help     more about one command

        Exit codes: 0 done, 1 failed (the reason is on standard error), 64 wrong usage.

        """

    private static let migrate = """
        janji migrate [--plan]

        Applies what is missing, forward only; each migration is one transaction that waits at most
        two seconds for a lock and then tries again, so that live traffic goes on.
          --plan     changes nothing: prints what would run, with checksums and the locks it takes

        """

    private static let events = """
        janji events COMMAND

        list      events in the order of their transactions, one a line: cursor, time, topic, key,
                  event id, when it was published
        replay    publishes the selected events again, with all that followed on their keys
        dlq TOPIC            records of TOPIC that a consumer could not understand, with the reason
        redrive TOPIC        sends them back to TOPIC, oldest first

          --schema NAME      whose outbox: booking or schedule [booking]
          --topic T, --key K, --since TIME, --until TIME
                             which events; TIME as 2026-11-21T08:00:00Z
          --after CURSOR     list: what comes after this one
          --limit N          list and redrive: at most so many
          --body             list: with the envelope
          --dry-run          replay: only how many
          --all              replay: every event that is kept

        list and replay need DATABASE_URL, dlq and redrive KAFKA_BROKERS (default: the embedded one).
        Exit codes: 0 done, 1 failed (nothing was changed, or the rest is still there), 64 wrong usage.

        """

    private static let serve = """
        janji serve ROLE…

        Runs roles apart from others; they find each other by …_SERVICE_URL. Needs DATABASE_URL,
        KAFKA_BROKERS and SERVICE_JWT_SECRET. Each role answers gRPC on its port, /health and
        /metrics by HTTP on the same port, and /metrics on port + 1000.

        """

    private static let token = """
        janji token AUDIENCE [ADMIN]

        Prints a bearer token that lets rpcurl, grpcio and others call RPCs for admins.
          AUDIENCE   the context of the service: booking, payment, schedule, identity or
                     notification; channelz for `rpcurl top`
          ADMIN      who acts, as the history will name it (default: operator)
        The key is SERVICE_JWT_SECRET, or the one that `janji up` keeps in JANJI_DATA.

          rpcurl -H "authorization: Bearer $(janji token booking)" localhost:3000 \\
            call janji.booking.v1.Bookings/ListPending '{}'

        """

    private static var variables: String {
        let width = 28
        let lines = Setting.all.map { setting in
            let pad = String(repeating: " ", count: max(1, width - setting.name.count))
            let fallback = setting.fallback.map { $0.isEmpty ? "" : " [\($0)]" } ?? ""
            return "  \(setting.name)\(pad)\(setting.help)\(fallback)"
        }
        return "Environment (default in brackets):\n\(lines.joined(separator: "\n"))\n"
    }
}
