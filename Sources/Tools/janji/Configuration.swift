import Environment
import Glibc
import Telemetry

/// A setting that cannot be used, in a sentence.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Everything that the environment says, checked once at the start.
struct Configuration: Sendable {
    let values: [String: String]

    /// Variables with our prefix that nobody knows are mistakes, not decoration.
    static let prefix = "JANJI_"
    /// Read by the scripts around the executable.
    static let scriptVariables: Set<String> = ["JANJI_SCRATCH", "JANJI_PYTHON", "JANJI_PLUGIN"]

    /// - Throws: ``ConfigurationError`` for an unknown `JANJI_…` variable.
    init(environment: [String: String]) throws(ConfigurationError) {
        let known = Set(Setting.all.map(\.name)).union(Self.scriptVariables)
        for name in environment.keys.sorted()
        where name.hasPrefix(Self.prefix) && !known.contains(name) {
            throw ConfigurationError(
                "\(name) is not a variable of Janji; `janji --help` lists them all")
        }
        values = environment.filter { known.contains($0.key) }
    }

    /// The process's own environment.
    static func ofProcess() throws(ConfigurationError) -> Configuration {
        var environment: [String: String] = [:]
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            pointer += 1
        }
        return try Configuration(environment: environment)
    }

    /// The value, or its default; empty counts as absent.
    func text(_ setting: Setting) -> String? {
        if let value = values[setting.name], !value.isEmpty { return value }
        return setting.fallback
    }

    func isSet(_ setting: Setting) -> Bool { values[setting.name].map { !$0.isEmpty } ?? false }

    func required(_ setting: Setting) throws(ConfigurationError) -> String {
        guard let value = text(setting) else {
            throw ConfigurationError("\(setting.name) is needed here: \(setting.help)")
        }
        return value
    }

    func number(
        _ setting: Setting, in range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int {
        let text = try required(setting)
        guard let number = Int(text), range.contains(number) else {
            throw ConfigurationError(
                "\(setting.name) is “\(text)”, not a number from \(range.lowerBound) "
                    + "to \(range.upperBound)")
        }
        return number
    }

    func port(_ setting: Setting) throws(ConfigurationError) -> UInt16 {
        UInt16(try number(setting, in: 1...65535))
    }

    func flag(_ setting: Setting) throws(ConfigurationError) -> Bool {
        switch try required(setting) {
        case "on", "true", "1", "yes": return true
        case "off", "false", "0", "no": return false
        case let other:
            throw ConfigurationError("\(setting.name) is “\(other)”, not on or off")
        }
    }

    func logLevel() throws(ConfigurationError) -> Logger.Level {
        let text = try required(.logLevel)
        guard let level = Logger.Level(rawValue: text) else {
            throw ConfigurationError(
                "\(Setting.logLevel.name) is “\(text)”, not debug, info, warning or error")
        }
        return level
    }

    func port(of role: Role) throws(ConfigurationError) -> UInt16 {
        if role == .notification, !isSet(role.portSetting), isSet(.webPort) {
            return try port(.webPort)
        }
        return try port(role.portSetting)
    }

    /// `host:port` of another role, which speaks TLS when this one does.
    func address(of role: Role) throws(ConfigurationError) -> String {
        let text = try required(role.addressSetting)
        let scheme = ["http://", "https://"].first { text.hasPrefix($0) } ?? ""
        let bare = text.dropFirst(scheme.count)
        let trimmed = String(bare.hasSuffix("/") ? bare.dropLast() : bare)
        guard let colon = trimmed.lastIndex(of: ":"), colon != trimmed.startIndex,
            UInt16(trimmed[trimmed.index(after: colon)...]) != nil
        else {
            throw ConfigurationError(
                "\(role.addressSetting.name) is “\(text)”, not http://host:port")
        }
        return trimmed
    }

    /// Origins of the form scheme://host[:port].
    func origins() throws(ConfigurationError) -> Set<String> {
        let list = (text(.allowedOrigins) ?? "").split(separator: ",").map {
            String($0.filter { !$0.isWhitespace })
        }
        for origin in list where !origin.hasPrefix("http://") && !origin.hasPrefix("https://") {
            throw ConfigurationError(
                "\(Setting.allowedOrigins.name) holds “\(origin)”, not http(s)://host")
        }
        return Set(list)
    }
}
