package settings

// AccessFlags name the rules of access of a program that serves HTTP.
type AccessFlags struct {
	Access string `help:"File of the rules of access: who is who, and who may do what. Without it, whoever reaches the address may do everything. The file is read again when it changes." type:"path" env:"SEALSTREAM_ACCESS" placeholder:"FILE"`
}
