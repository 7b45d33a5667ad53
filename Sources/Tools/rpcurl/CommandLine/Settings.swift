import Compression
import RPC

/// What the flags say.
struct Settings: Sendable {
    enum Format: Sendable { case json, text }

    /// Where the flags that are being applied come from; a later layer replaces what an earlier
    /// one gave: 0 the defaults of the configuration file, 1 its profile, 2 the command line.
    var layer = 0
    var headers: [HeaderArgument] = []
    var callMetadata = Metadata()
    var reflectionMetadata = Metadata()
    var expandHeaders = false
    var data: String?
    var maxTime: Duration?
    var connectTimeout = Duration.seconds(10)
    var keepaliveTime: Duration?
    var maxMessageBytes = 4 << 20
    var compression = CompressionAlgorithm.identity
    var descriptorSets = LayeredList()
    var protoFiles = LayeredList()
    var importPaths = LayeredList()
    var useReflection = false
    var descriptorSetOutput: String?
    var protoOutputFolder: String?
    /// The address is the path of a UNIX socket.
    var isUnix = false
    var authority: String?
    var tls = TLSSettings()
    var userAgent = "rpcurl/1.0"
    var verbose = false
    var veryVerbose = false
    var template = false
    var json = false
    var compact = false
    var format = Format.json
    var formatError = false
    var originalNames = false
    var emitDefaults = false
    var allowUnknownFields = false
    var methods = false
    var recordFile: String?
    var keepSecrets = false
    var duration: Duration?
    var watch = WatchSettings()
    var bench = BenchSettings()
    var replay = ReplaySettings()
    var top = TopSettings()
    var config: String?
    var profile: String?
    var help = false
    var version = false

    /// The schema comes from files, not from the server.
    var hasSchemaFiles: Bool { !descriptorSets.isEmpty || !protoFiles.isEmpty }
}

/// A flag that may be given several times.
struct LayeredList: Sendable {
    private var layer = 0
    private(set) var values: [String] = []

    var isEmpty: Bool { values.isEmpty }

    mutating func add(_ value: String, layer: Int) {
        if layer > self.layer { values = [] }
        self.layer = layer
        values.append(value)
    }
}
