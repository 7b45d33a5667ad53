import Environment
import Protobuf

/// A sample beside the one before it: what is told, and what happens per second.
struct TopReport {
    private let sample: TopSample
    private let seconds: Double
    private let servers: [Int64: Int64]
    private let connections: [Int64: TopSample.Connection]
    private let channels: [Int64: Int64]

    /// - Parameter former: nil: there are no rates yet.
    init(_ sample: TopSample, after former: TopSample?) {
        self.sample = sample
        seconds = former.map { $0.taken.duration(to: sample.taken).secondsValue } ?? 0
        servers = TopReport.index(former?.servers ?? []) { ($0.id, $0.calls.started) }
        connections = TopReport.index(former?.connections ?? []) { ($0.id, $0) }
        channels = TopReport.index(former?.channels.flatMap { [$0] + $0.subchannels } ?? []) {
            ($0.id, $0.calls.started)
        }
    }

    private static func index<Item, Value>(
        _ items: [Item], _ entry: (Item) -> (Int64, Value)
    ) -> [Int64: Value] {
        Dictionary(items.map(entry)) { first, _ in first }
    }

    /// Per second; nil without a former value, or when the count began anew.
    private func rate(_ now: Int64, _ before: Int64?) -> Double? {
        guard let before, seconds > 0, now >= before else { return nil }
        return Double(now - before) / seconds
    }

    private func rate(_ connection: TopSample.Connection) -> Double? {
        rate(connection.streams.started, connections[connection.id]?.streams.started)
    }

    /// The busiest first: by calls in flight, then by rate, then by what they have done.
    private var busiest: [TopSample.Connection] {
        sample.connections.map { ($0, rate($0) ?? 0) }.sorted { left, right in
            let (a, b) = (left.0, right.0)
            if a.streams.running != b.streams.running {
                return a.streams.running > b.streams.running
            }
            if left.1 != right.1 { return left.1 > right.1 }
            if a.streams.started != b.streams.started {
                return a.streams.started > b.streams.started
            }
            return a.id < b.id
        }.map(\.0)
    }

    /// One digit behind the point.
    private static func text(_ rate: Double?) -> String {
        guard let rate else { return "-" }
        let tenths = Int((rate * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    // MARK: For people

    func lines(_ title: String, rows: Int) -> [String] {
        let more = sample.isCut ? " or more" : ""
        var lines = [
            "\(title)  servers \(sample.servers.count)  connections "
                + "\(sample.connections.count)\(more)  channels \(sample.channels.count)"
        ]
        if !sample.servers.isEmpty { lines += [""] + cut(serverTable.lines, rows) }
        if !sample.connections.isEmpty { lines += [""] + cut(connectionTable.lines, rows) }
        if !sample.channels.isEmpty { lines += [""] + cut(channelTable.lines, rows) }
        return lines
    }

    private func cut(_ table: [String], _ rows: Int) -> [String] {
        guard table.count > rows + 1 else { return table }
        return table.prefix(rows + 1) + ["… and \(table.count - rows - 1) more (-rows N)"]
    }

    private static let figures = ["CALLS/S", "RUNNING", "STARTED", "FAILED"].map {
        TextTable.Column(title: $0, isNumber: true)
    }

    private func figures(_ calls: TopSample.Calls, _ rate: Double?) -> [String] {
        [TopReport.text(rate), "\(calls.running)", "\(calls.started)", "\(calls.failed)"]
    }

    private var serverTable: TextTable {
        var table = TextTable(
            [.init(title: "SERVER", isNumber: true), .init(title: "LISTENS ON")]
                + TopReport.figures)
        for server in sample.servers {
            let name =
                server.listeners.isEmpty ? server.name : server.listeners.joined(separator: ", ")
            table.add(
                ["\(server.id)", name]
                    + figures(server.calls, rate(server.calls.started, servers[server.id])))
        }
        return table
    }

    private var connectionTable: TextTable {
        var table = TextTable(
            [
                .init(title: "CONNECTION", isNumber: true), .init(title: "OF", isNumber: true),
                .init(title: "PEER"),
            ] + TopReport.figures + [
                .init(title: "MSG IN/S", isNumber: true), .init(title: "MSG OUT/S", isNumber: true),
                .init(title: "WINDOW IN", isNumber: true), .init(title: "OUT", isNumber: true),
                .init(title: "SECURITY"),
            ])
        for connection in busiest {
            let former = connections[connection.id]
            let owner =
                switch connection.owner {
                case .server(let id), .subchannel(let id): id
                }
            table.add(
                ["\(connection.id)", "\(owner)", connection.peer]
                    + figures(connection.streams, rate(connection)) + [
                        TopReport.text(
                            rate(connection.messagesReceived, former?.messagesReceived)),
                        TopReport.text(rate(connection.messagesSent, former?.messagesSent)),
                        connection.receiveWindow.map { "\($0)" } ?? "-",
                        connection.sendWindow.map { "\($0)" } ?? "-",
                        connection.security ?? "plaintext",
                    ])
        }
        return table
    }

    private var channelTable: TextTable {
        var table = TextTable(
            [
                .init(title: "CHANNEL", isNumber: true), .init(title: "STATE"),
                .init(title: "TARGET"),
            ] + TopReport.figures + [.init(title: "LAST EVENT")])
        for channel in sample.channels {
            for (entry, indent) in [(channel, "")] + channel.subchannels.map({ ($0, "  ") }) {
                table.add(
                    ["\(entry.id)", entry.state, indent + entry.target]
                        + figures(entry.calls, rate(entry.calls.started, channels[entry.id]))
                        + [entry.event ?? ""])
            }
        }
        return table
    }

    // MARK: For programs

    /// - Parameter members: what stands before the lists.
    func json(_ members: [(key: String, value: JSONValue)]) -> JSONValue {
        .object(
            members + [
                ("servers", .array(sample.servers.map(json))),
                ("connections", .array(busiest.map(json))),
                ("more_connections", .bool(sample.isCut)),
                ("channels", .array(sample.channels.map { json($0, isTop: true) })),
            ])
    }

    private func json(_ server: TopSample.Server) -> JSONValue {
        .object([
            ("id", number(server.id)), ("name", .string(server.name)),
            ("listens", .array(server.listeners.map { .string($0) })),
            ("calls", json(server.calls, rate(server.calls.started, servers[server.id]))),
        ])
    }

    private func json(_ connection: TopSample.Connection) -> JSONValue {
        let owner: (key: String, value: JSONValue) =
            switch connection.owner {
            case .server(let id): ("server", number(id))
            case .subchannel(let id): ("subchannel", number(id))
            }
        let former = connections[connection.id]
        return .object([
            ("id", number(connection.id)), owner, ("peer", .string(connection.peer)),
            ("local", .string(connection.local)),
            ("streams", json(connection.streams, rate(connection))),
            (
                "messages",
                .object([
                    ("sent", number(connection.messagesSent)),
                    ("received", number(connection.messagesReceived)),
                    ("sent_per_second", json(rate(connection.messagesSent, former?.messagesSent))),
                    (
                        "received_per_second",
                        json(rate(connection.messagesReceived, former?.messagesReceived))
                    ),
                ])
            ), ("keepalives", number(connection.keepalives)),
            ("send_window", connection.sendWindow.map(number) ?? .null),
            ("receive_window", connection.receiveWindow.map(number) ?? .null),
            ("security", connection.security.map { .string($0) } ?? .null),
        ])
    }

    private func json(_ channel: TopSample.Channel, isTop: Bool) -> JSONValue {
        .object(
            [
                ("id", number(channel.id)), ("target", .string(channel.target)),
                ("state", .string(channel.state)),
                ("calls", json(channel.calls, rate(channel.calls.started, channels[channel.id]))),
                ("last_event", channel.event.map { .string($0) } ?? .null),
            ]
                + (isTop
                    ? [("subchannels", .array(channel.subchannels.map { json($0, isTop: false) }))]
                    : []))
    }

    private func json(_ calls: TopSample.Calls, _ rate: Double?) -> JSONValue {
        .object([
            ("started", number(calls.started)), ("succeeded", number(calls.succeeded)),
            ("failed", number(calls.failed)), ("running", number(calls.running)),
            ("per_second", json(rate)),
        ])
    }

    private func json(_ rate: Double?) -> JSONValue {
        rate.map { .number(TopReport.text($0)) } ?? .null
    }

    private func number(_ value: Int64) -> JSONValue { .number("\(value)") }
}
