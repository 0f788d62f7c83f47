"""Two names that Python 3.12 removed and that building pyradiomics 3.0.1 still asks for.

Python imports this file at its start where its folder is on PYTHONPATH, as tools/install.sh has it for that one build.
"""

import configparser

if not hasattr(configparser, "SafeConfigParser"):
    configparser.SafeConfigParser = configparser.ConfigParser
    configparser.RawConfigParser.readfp = configparser.RawConfigParser.read_file
