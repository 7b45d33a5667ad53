public import Glibc
import Synchronization

/// A private PostgreSQL 15 server for tests: its own data directory, a free loopback port and a
/// socket directory. It is stopped and removed when the test process exits.
///
/// Every call blocks the calling thread; nothing here may be called on an event loop.
public final class PostgresCluster: Sendable {
    public enum StopMode: String, Sendable { case smart, fast, immediate }

    public static let binaries = "/usr/lib/postgresql/15/bin"
    private static let namePrefix = "janji-pg."
    private static let counter = Atomic<Int>(0)
    private static let sharedCluster = Mutex<PostgresCluster?>(nil)

    public let port: UInt16
    /// Holds `data`, the socket and `server.log`.
    public let directory: String

    public var dataDirectory: String { directory + "/data" }
    public var logPath: String { directory + "/server.log" }

    /// The one cluster of this test process, started at the first call. Suites take a database of
    /// their own from it; a suite that stops servers makes a cluster of its own.
    public static func shared() throws -> PostgresCluster {
        try sharedCluster.withLock { cluster in
            if let cluster { return cluster }
            let new = try PostgresCluster()
            try new.start()
            cluster = new
            return new
        }
    }

    /// Creates the data directory; the server is not started yet.
    /// - Parameter settings: lines for `postgresql.conf`, for example `["fsync": "off"]`.
    public init(settings: [String: String] = [:]) throws {
        Self.removeLeftovers()
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        directory = "/tmp/\(Self.namePrefix)\(getpid()).\(number)"
        port = try LocalPort.find()
        try PostgresProcess.run(["/usr/bin/install", "-d", "-m", "700", directory])
        try PostgresProcess.run(
            [
                "\(Self.binaries)/initdb", "-D", dataDirectory, "-U", "postgres", "-A", "trust",
                "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            ], log: logPath)
        var lines = [
            "listen_addresses": "'127.0.0.1'", "recovery_init_sync_method": "syncfs",
            "port": "\(port)",
            "unix_socket_directories": "'\(directory)'", "max_connections": "1000",
            "log_line_prefix": "'%m [%p] %q%a '", "timezone": "'Asia/Jakarta'",
        ]
        lines.merge(settings) { $1 }
        let script = lines.map { "echo \"\($0.key) = \($0.value)\"" }.joined(separator: "; ")
        try PostgresProcess.run([
            "/bin/sh", "-c", "(\(script)) >> \(dataDirectory)/postgresql.conf",
        ])
        ClusterRegistry.add(self)
    }

    // MARK: Where it is

    /// A connection URI over loopback TCP.
    public func url(database: String = "postgres", user: String = "postgres") -> String {
        "postgresql://\(user)@127.0.0.1:\(port)/\(database)"
    }

    /// A connection URI over the Unix socket.
    public func socketURL(database: String = "postgres", user: String = "postgres") -> String {
        let host = directory.split(separator: "/").joined(separator: "%2F")
        return "postgresql://\(user)@%2F\(host):\(port)/\(database)"
    }

    /// Creates an empty database, dropping an older one of this name, and returns its URI.
    public func database(named name: String) throws -> String {
        try PostgresProcess.run([
            "\(Self.binaries)/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url(),
            "-c", "drop database if exists \"\(name)\" with (force)",
            "-c", "create database \"\(name)\"",
        ])
        return url(database: name)
    }

    /// Runs SQL with psql; returns its unaligned output without headings.
    @discardableResult
    public func psql(_ sql: String, database: String = "postgres") throws -> String {
        try PostgresProcess.run([
            "\(Self.binaries)/psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
            "-d", url(database: database), "-c", sql,
        ])
    }

    // MARK: Life

    /// Starts the server and waits until it answers.
    public func start() throws {
        try PostgresProcess.run(
            [
                "\(Self.binaries)/pg_ctl", "-D", dataDirectory, "-l", logPath, "-w", "-t", "300",
                "start",
            ], log: logPath)
    }

    /// Stops the server and waits until it is gone.
    public func stop(_ mode: StopMode = .fast) throws {
        try PostgresProcess.run(
            [
                "\(Self.binaries)/pg_ctl", "-D", dataDirectory, "-m", mode.rawValue, "-w", "-t",
                "300", "stop",
            ])
    }

    /// Kills the postmaster and all its children with SIGKILL, as a power cut of the processes.
    public func kill9() {
        guard let postmaster = postmasterID else { return }
        // Stopped first, so that it neither starts a child that we do not see nor loses one.
        kill(postmaster, SIGSTOP)
        PostgresProcess.waitUntilStopped(postmaster)
        let children = PostgresProcess.children(of: postmaster)
        kill(postmaster, SIGKILL)
        for child in children { kill(child, SIGKILL) }
        for process in children + [postmaster] { PostgresProcess.waitUntilGone(process) }
        // Where nobody reaps orphans the postmaster stays a zombie, and its successor would believe
        // that it still runs.
        unlink("\(dataDirectory)/postmaster.pid")
        unlink("\(directory)/.s.PGSQL.\(port).lock")
    }

    /// The process id of the running postmaster of this cluster.
    public var postmasterID: pid_t? {
        guard let text = PostgresProcess.contents(of: "\(dataDirectory)/postmaster.pid"),
            let id = pid_t(text.prefix { $0 != "\n" }), kill(id, 0) == 0
        else { return nil }
        // The file may be older than the machine's uptime: only believe it when the process is ours.
        let command = PostgresProcess.contents(of: "/proc/\(id)/cmdline") ?? ""
        return command.contains(dataDirectory) ? id : nil
    }

    /// Stops the server without care for its data, and removes everything.
    public func destroy() {
        ClusterRegistry.remove(self)
        Self.remove(directory, postmasterID)
    }

    private static func remove(_ directory: String, _ postmaster: pid_t?) {
        if let postmaster {
            kill(postmaster, SIGQUIT)
            PostgresProcess.waitUntilGone(postmaster)
        }
        _ = try? PostgresProcess.run(["/bin/rm", "-rf", directory])
    }

    /// Removes clusters of test processes that were killed.
    private static func removeLeftovers() {
        for name in PostgresProcess.entries(of: "/tmp") where name.hasPrefix(namePrefix) {
            let parts = name.split(separator: ".")
            guard parts.count == 3, let owner = pid_t(parts[1]), kill(owner, 0) != 0,
                errno == ESRCH
            else { continue }
            let directory = "/tmp/\(name)"
            let text = PostgresProcess.contents(of: "\(directory)/data/postmaster.pid") ?? ""
            var postmaster = pid_t(text.prefix { $0 != "\n" })
            if let id = postmaster,
                !(PostgresProcess.contents(of: "/proc/\(id)/cmdline") ?? "").contains(directory)
            {
                postmaster = nil
            }
            remove(directory, postmaster)
        }
    }
}

/// The clusters of this process, for its exit.
private enum ClusterRegistry {
    private static let clusters = Mutex<(all: [PostgresCluster], isHooked: Bool)>(([], false))

    static func add(_ cluster: PostgresCluster) {
        clusters.withLock { state in
            state.all.append(cluster)
            if !state.isHooked {
                state.isHooked = true
                atexit { ClusterRegistry.destroyAll() }
            }
        }
    }

    static func remove(_ cluster: PostgresCluster) {
        clusters.withLock { $0.all.removeAll { $0 === cluster } }
    }

    private static func destroyAll() {
        for cluster in clusters.withLock({ $0.all }) { cluster.destroy() }
    }
}
